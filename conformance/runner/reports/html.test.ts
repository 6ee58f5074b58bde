import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Catalogue, type CatalogueEntry } from '../catalogue.ts';
import type { Outcome } from '../run.ts';
import { verdictOn } from '../verdict.ts';
import { htmlReport, junitReport, type RunRecord, tapReport } from './index.ts';

const CHROMIUM = '/usr/bin/chromium';
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];

const entry = (id: string, title: string, more: Partial<CatalogueEntry> = {}): CatalogueEntry => ({
  id,
  title,
  level: 'must',
  section: '3.2',
  source: 'spec',
  needs: [],
  ...more,
});
const catalogue = new Catalogue([
  {
    prefix: 'KS',
    title: 'Keys service',
    document: 'keys-service.md',
    requirements: [
      entry('KS-001', 'a request without api-version is refused'),
      entry('KS-002', 'an unknown version is <quoted>', { level: 'quirk', quirk: 'answers 500' }),
      entry('KS-003', 'a key is made in every store'),
    ],
  },
]);
const outcome = (id: string, result: Outcome['result'], more: Partial<Outcome> = {}): Outcome => ({
  id,
  group: 'keyd & protocol',
  text: `case ${id}`,
  source: 'spec',
  level: 'must',
  store: 'file',
  result,
  seconds: 0.25,
  ...more,
});
const FAILED = outcome('KS-001', 'failed', {
  reason: 'status 200 instead of 400\n<script>document.title = "broken out"</script>',
  expected: '400',
  got: '200',
  exchange: [
    { at: 1, connection: 1, kind: 'open', text: '/run/keyd.sock as uid 0' },
    { at: 2, connection: 1, kind: 'sent', text: 'GET /key/x HTTP/1.1\r\n\r\n' },
    { at: 3, connection: 1, kind: 'received', text: 'HTTP/1.1 200 OK\r\n\r\n{}' },
  ],
});
const record = (implementation: string, outcomes: readonly Outcome[]): RunRecord => ({
  format: 1,
  implementation,
  driver: 'command',
  started: '2026-01-02T03:04:05.000Z',
  seconds: 12.5,
  ok: false,
  strict: false,
  narrowed: false,
  outcomes,
  tolerated: { 'KS-002': 'the reference does so too: answers 500' },
  stale: [],
  notRun: [],
  again: ['--driver', 'command', '--command', './my adapter.sh'],
});
const ONE = record('mine', [
  FAILED,
  outcome('KS-002', 'failed', { reason: 'status 500' }),
  outcome('KS-003/file', 'passed'),
  outcome('KS-003/softhsm', 'skipped', { store: 'softhsm', need: 'pkcs11', reason: 'no token here' }),
]);
const OTHER = record('theirs', [outcome('KS-001', 'passed'), outcome('KS-003/file', 'passed')]);

function page(records: readonly RunRecord[]): string {
  const runs = records.map((one) => {
    const expected = Object.entries(one.tolerated).map(([id, why]) => ({ id, why }));
    const { rows } = verdictOn({ ...one, catalogue, checklists: [], expected, without: [] });
    return { record: one, rows };
  });
  return htmlReport(runs, catalogue);
}

test('TAP: failures are told, tolerated ones are to do, others skipped', () => {
  const lines = tapReport(ONE).split('\n');
  expect(lines.slice(0, 3)).toEqual(['TAP version 14', '1..4', 'not ok 1 - KS-001 case KS-001']);
  expect(lines.find((line) => line.includes('KS-002'))).toMatch(/^not ok 2 .* # TODO the reference/);
  expect(lines.find((line) => line.includes('softhsm'))).toMatch(/^ok 4 .* # SKIP no token here$/);
});

test('JUnit: counts, escapes, and the command that runs one case', () => {
  const xml = junitReport(ONE);
  expect(xml).toContain('<testsuite name="keyd &amp; protocol" tests="4" failures="1" errors="0" skipped="2"');
  expect(xml).not.toContain('<script>');
  expect(page([OTHER])).toContain('<b class="failed">0</b>');
  expect(xml).toContain('--command &#39;./my adapter.sh&#39; --only KS-001');
});

const missing = existsSync(CHROMIUM) ? '' : ` (skipped: ${CHROMIUM} is not there)`;
describe.skipIf(missing !== '')(`the page in a browser${missing}`, () => {
  let folder: string;
  let context: Awaited<ReturnType<typeof chromium.launchPersistentContext>>;
  let view: Page;
  const requested: string[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'report-'));
    await writeFile(join(folder, 'report.html'), page([ONE, OTHER]));
    context = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: CHROMIUM,
      args: ARGS,
      viewport: { width: 390, height: 844 },
    });
    view = await context.newPage();
    view.on('request', (request) => void requested.push(request.url()));
    await view.goto(pathToFileURL(join(folder, 'report.html')).href);
  });
  afterAll(async () => {
    await context?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('a phone shows it without scrolling sideways, and nothing else is loaded', async () => {
    expect(await view.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    expect(requested).toHaveLength(1);
    expect(await view.title()).toBe('Conformance of mine and theirs');
  });

  test('a failure shows both sides, the wire, and how to run it alone', async () => {
    const article = view.locator('article').first();
    expect(await article.locator('.expected-side').textContent()).toBe('400');
    expect(await article.locator('.got-side').textContent()).toBe('200');
    expect(await article.locator('.wire pre.sent').textContent()).toContain('GET /key/x');
    expect(await article.locator('.wire pre.received').textContent()).toContain('200 OK');
    expect(await article.locator('.again').textContent()).toBe(
      "npx aziot-conformance run --driver command --command './my adapter.sh' --only KS-001",
    );
    expect(await article.textContent()).toContain('keys-service.md, section 3.2');
  });

  test('the matrix has a column an implementation and store, and a mark leads to its failure', async () => {
    expect(await view.locator('#matrix th.cell').allInnerTexts()).toEqual([
      'mine\nfile',
      'mine\nsofthsm',
      'theirs\nfile',
    ]);
    const mark = view.locator('tr', { hasText: 'KS-001' }).locator('a.mark').first();
    await mark.click();
    expect(await view.evaluate("document.querySelector(':target')?.tagName")).toBe('ARTICLE');
  });

  test('search and filter narrow the matrix', async () => {
    await view.locator('#find').fill('every store');
    expect(await view.locator('tr[data-text]:visible').count()).toBe(1);
    await view.locator('#find').fill('no such words');
    expect(await view.locator('#none').isVisible()).toBe(true);
    await view.locator('#find').fill('');
    await view.locator('#only').check();
    expect(await view.locator('tr[data-text]:visible td.id').allTextContents()).toContain('KS-001');
    await view.locator('#only').uncheck();
    if (process.env['REPORT_SHOT']) await view.screenshot({ path: process.env['REPORT_SHOT'], fullPage: true });
  });
});
