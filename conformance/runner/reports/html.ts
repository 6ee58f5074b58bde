import type { Catalogue, CatalogueEntry } from '../catalogue.ts';
import type { Outcome, StoreKind } from '../run.ts';
import type { Cell, Row } from '../verdict.ts';
import { failureAnchor, failureArticle } from './html-failure.ts';
import { SCRIPT, STYLE } from './html-style.ts';
import { markup } from './markup.ts';
import type { RunRecord } from './run-record.ts';

/** One run with its matrix. */
export interface ReportedRun {
  readonly record: RunRecord;
  readonly rows: readonly Row[];
}

interface Column {
  readonly run: number;
  readonly implementation: string;
  readonly store: StoreKind;
}

const STORES: readonly StoreKind[] = ['file', 'softhsm', 'tpm'];
const MARKS: Readonly<Record<Cell['result'], readonly [sign: string, word: string]>> = {
  passed: ['✓', 'met'],
  failed: ['✗', 'not met'],
  expected: ['≈', 'expected difference'],
  quirk: ['≈', 'as the reference'],
  'not-run': ['–', 'not run'],
};

/** The whole report as one HTML file: sum, failures with their exchanges, and the matrix of requirement × implementation × store. */
export function htmlReport(runs: readonly ReportedRun[], catalogue: Catalogue): string {
  const title = `Conformance of ${runs.map(({ record }) => record.implementation).join(' and ')}`;
  const failures = runs.flatMap(({ record }, run) =>
    record.outcomes
      .filter(({ result }) => result === 'failed')
      .map((outcome) => failureArticle(record, run, outcome, catalogue)),
  );
  const notJudged = runs.flatMap(({ record }) => record.outcomes.filter(({ result }) => result === 'skipped'));
  const body = [
    `<header><h1>${markup(title)}</h1></header>`,
    ...runs.map(({ record }) => runSummary(record)),
    `<section id="failures"><h2>What is not met</h2>${failures.join('\n') || '<p class="passed">Nothing: all that was judged is met.</p>'}</section>`,
    matrix(runs, catalogue),
    notRunList(notJudged),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${markup(title)}</title><style>${STYLE}</style></head>
<body>
${body.join('\n')}
<script>${SCRIPT}</script>
</body></html>
`;
}

function runSummary(record: RunRecord): string {
  const { outcomes, tolerated, ok } = record;
  const passed = outcomes.filter(({ result }) => result === 'passed').length;
  const skipped = outcomes.filter(({ result }) => result === 'skipped').length;
  const quiet = outcomes.filter(({ id, result }) => result === 'failed' && tolerated[id] !== undefined).length;
  const failed = outcomes.length - passed - skipped - quiet;
  const part = (count: number, colour: string) =>
    count === 0 ? '' : `<i style="flex:${count};background:var(--${colour})"></i>`;
  const stale = record.stale.map(({ id, why }) => `<li><code>${markup(id)}</code>: ${markup(why)}</li>`);
  return `<section class="run"><p class="verdict ${ok ? 'passed' : 'failed'}">${markup(record.implementation)}: ${ok ? 'conforms' : 'does not conform'}</p>
<p class="dim">driver ${markup(record.driver)} · ${markup(record.started.slice(0, 16).replace('T', ' '))} UTC · ${record.seconds} s${record.narrowed ? ' · a part of the suite' : ''}${record.strict ? ' · strict' : ''}</p>
<div class="sum"><div><b class="passed">${passed}</b>met</div><div><b class="failed">${failed}</b>not met</div><div><b class="quirk">${quiet}</b>tolerated</div><div><b class="not-run">${skipped}</b>not run</div></div>
<div class="bar" role="img" aria-label="${passed} met, ${failed} not met, ${quiet} tolerated, ${skipped} not run">${part(passed, 'ok')}${part(failed, 'bad')}${part(quiet, 'warn')}${part(skipped, 'line')}</div>
${stale.length > 0 ? `<p class="stale">Expected differences that are none any more:</p><ul>${stale.join('')}</ul>` : ''}
${record.notRun.length > 0 ? `<p class="failed">${record.notRun.length} required cases could not be judged on this machine; say --without to leave them out.</p>` : ''}</section>`;
}

function matrix(runs: readonly ReportedRun[], catalogue: Catalogue): string {
  const columns: Column[] = runs.flatMap(({ record, rows }, run) =>
    STORES.filter((store) => rows.some(({ stores }) => stores[store])).map((store) => ({
      run,
      implementation: record.implementation,
      store,
    })),
  );
  const byRun = runs.map(({ rows }) => new Map(rows.map((row) => [row.entry.id, row])));
  const parts = catalogue.files.map(({ title, document, requirements }) => {
    const known = requirements.filter(({ id }) => byRun.some((rows) => rows.has(id)));
    if (known.length === 0) return '';
    const lines = known.map(({ id }) => matrixRow(id, columns, byRun));
    const head = columns
      .map(
        ({ implementation, store }) =>
          `<th class="cell">${runs.length > 1 ? `${markup(implementation)}<br>` : ''}${store}</th>`,
      )
      .join('');
    return `<details class="part" open><summary>${markup(title)} <span class="meta">${markup(document)}, ${known.length} requirements</span></summary>
<div class="scroll"><table><thead><tr><th>Id</th><th>Requirement</th>${head}</tr></thead><tbody>
${lines.join('\n')}
</tbody></table></div></details>`;
  });
  return `<section id="matrix"><h2>All requirements</h2>
<div class="find"><input type="search" id="find" placeholder="Find: KS-04, certificate, quirk …" aria-label="Find requirements"><label><input type="checkbox" id="only"> only what is not met</label></div>
<p class="meta">✓ met · ✗ not met · ≈ expected difference, or as the reference does · – not run</p>
${parts.join('\n')}<p id="none" hidden>No requirement fits.</p></section>`;
}

/** ` · §4.2`; a section that is no number, as that of an RFC, stands as it is. */
function sectionOf({ section }: CatalogueEntry): string {
  if (section === '') return '';
  return ` · ${/^\d/.test(section) ? '§' : ''}${markup(section)}`;
}

function matrixRow(id: string, columns: readonly Column[], byRun: readonly ReadonlyMap<string, Row>[]): string {
  const rows = byRun.map((known) => known.get(id));
  const row = rows.find((one) => one !== undefined);
  if (!row) return '';
  const { entry, without } = row;
  const cells = columns.map(({ run, store }) => matrixCell(run, rows[run]?.stores[store], without));
  const passed = rows.every(
    (one) => one === undefined || Object.values(one.stores).every((cell) => cell?.result === 'passed'),
  );
  const judged = rows.some((one) => one !== undefined && Object.keys(one.stores).length > 0);
  const note =
    judged || without === undefined ? '' : `<br><span class="meta">not judged here: ${markup(without)}</span>`;
  const text = `${id} ${entry.title} ${entry.level} ${entry.source} ${entry.section}`.toLowerCase();
  return `<tr data-text="${markup(text)}" data-passed="${passed ? 'yes' : 'no'}"><td class="id">${markup(id)}</td><td>${markup(entry.title)}<br><span class="meta">${entry.level}${sectionOf(entry)} · ${entry.source}${entry.needs.length > 0 ? ` · needs ${entry.needs.join(', ')}` : ''}</span>${note}</td>${cells.join('')}</tr>`;
}

function matrixCell(run: number, cell: Cell | undefined, without: string | undefined): string {
  if (!cell) return `<td class="cell not-run" title="${markup(without ?? 'not asked')}">·</td>`;
  const [sign, word] = MARKS[cell.result];
  const title = markup(`${word}: ${cell.cases.join(', ')}`);
  const [first] = cell.cases;
  const isFailure = cell.result === 'failed' || cell.result === 'expected' || cell.result === 'quirk';
  if (isFailure && first !== undefined)
    return `<td class="cell"><a class="mark ${cell.result}" title="${title}" aria-label="${word}" href="#${failureAnchor(run, cell.failed ?? first)}">${sign}</a></td>`;
  return `<td class="cell"><span class="mark ${cell.result}" title="${title}" aria-label="${word}">${sign}</span></td>`;
}

function notRunList(outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return '';
  const byReason = Map.groupBy(outcomes, ({ reason = '' }) => reason);
  const items = [...byReason].map(
    ([reason, cases]) =>
      `<li>${markup(reason)} <span class="meta">${cases.length}: ${markup(cases.map(({ id }) => id).join(', '))}</span></li>`,
  );
  return `<section id="not-run"><h2>Not run, and why</h2><ul>${items.join('\n')}</ul></section>`;
}
