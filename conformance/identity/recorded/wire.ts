import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type CloudRequest, pathOf, type ScriptedFault } from '../../cloud/index.ts';
import { orAsRecorded, type Replay } from '../../runner/index.ts';
import type { Bench } from './bench.ts';
import { CLOUD_ADDRESS } from './materials.ts';

/** A request that the reference sent; without a method where the handshake failed. */
interface RecordedRequest {
  readonly method?: string;
  readonly target?: string;
  readonly body?: string;
  readonly sni?: string;
  readonly client?: readonly string[];
  readonly sentHeaders?: readonly (readonly [string, string])[];
  readonly fault?: ScriptedFault['fault'];
  readonly answer?: { readonly status: number; readonly body: unknown };
}

const FILE = new URL('../../../fixtures/golden/cloud-wire.json', import.meta.url);
const { steps: allSteps } = JSON.parse(readFileSync(FILE, 'utf8')) as {
  steps: { scenario: string; step: string; requests: RecordedRequest[] }[];
};
const RECORDED = new Map(allSteps.map(({ scenario, step, requests }) => [`${scenario}/${step}`, requests]));

/** Polls are asked for after a second, so that nothing waits long. */
const SOON = { 'retry-after': '1' };

const pathOnly = ({ target = '' }: RecordedRequest): string => originForm(target).replace(/\?.*$/, '');

/**
 * The scripted answers of a recorded step. The last request of a kind that met a fault meets it whenever it is tried again; what the
 * step's name calls `once` does not.
 */
export function faultsOf(id: string): ScriptedFault[] {
  const requests = (RECORDED.get(id) ?? []).filter(({ method }) => method !== undefined);
  const scriptsPolls = id.startsWith('dps-failures/poll-');
  return requests.flatMap((request, at) => {
    const isPoll = scriptsPolls && /\/operations\//.test(request.target ?? '');
    const fault = request.fault ?? (isPoll && request.answer ? { ...request.answer, headers: SOON } : undefined);
    if (!fault) return [];
    const { method = '' } = request;
    const path = isPoll ? /\/operations\// : pathOnly(request);
    const ofKind = (list: readonly RecordedRequest[]) =>
      list.filter((other) => other.method === method && pathOnly(other) === pathOnly(request)).length;
    const isLast = ofKind(requests.slice(at + 1)) === 0 && !id.endsWith('-once');
    return [{ method, path, fault, skip: isPoll ? 0 : ofKind(requests.slice(0, at)), ...(isLast ? {} : { times: 1 }) }];
  });
}

/**
 * cloud.md 1.2, stricter: the origin form also inside the tunnel of a proxy. It is asked for where the scenario is about proxies; the proxy of
 * the other scenarios is the bench's own, and what a daemon asks is the same in either form.
 */
const originForm = (target: string): string => target.replace(/^https:\/\/[^/]*/, '');

/** Signature and expiry differ at every request. */
const masked = (value: string): string =>
  value.replace(/sig=[^&]*/, 'sig=<signature>').replace(/se=\d+/, 'se=<expiry>');

/** Distinguished names are compared by their common names. */
const commonNames = (names: readonly string[] = []): string[] =>
  names.map((name) => /CN=[^,]*/.exec(name)?.[0] ?? name);

const seen = ({ method, target, headers, body, client, sni }: CloudRequest, ofRecorded: RecordedRequest) => ({
  request: `${method} ${target}`,
  headers: headers.map(([name, value]) => `${name}: ${masked(value)}`),
  body,
  client,
  sni: ofRecorded.sni === undefined ? undefined : sni,
});

const recorded = ({ method, target = '', sentHeaders = [], body = '', client, sni }: RecordedRequest) => ({
  request: `${method} ${originForm(target)}`,
  headers: sentHeaders.map(([name, value]) => `${name}: ${value.replace('<cloud address>', CLOUD_ADDRESS)}`),
  body,
  client: commonNames(client),
  sni,
});

/**
 * Whether the requests are those listed. A `*` after the last one stands for any number of it; one with `~` before it may have come
 * more often, as an attempt of the background may fall between.
 */
function assertListed(id: string, requests: readonly CloudRequest[], listed: readonly string[]): void {
  const sent = requests.map((request) =>
    `${request.method} ${pathOf(request)}`.replace(/operations\/.*/, 'operations/*'),
  );
  const free = listed.filter((line) => line.startsWith('~')).map((line) => line.slice(1));
  const last = listed.at(-1) ?? '';
  const again = last.endsWith(' *') ? last.slice(0, -2) : undefined;
  const wanted = listed.map((line) => line.replace(/^~| \*$/g, ''));
  const countIn = (list: readonly string[], line: string) => list.filter((other) => other === line).length;
  const shown = sent.filter((line, at) => {
    if (free.includes(line)) return countIn(sent.slice(at), line) <= countIn(wanted, line);
    return at < wanted.length || line !== again;
  });
  assert.deepEqual(shown, wanted, `${id} sends other requests than differences.json lists`);
}

/** Compares what the cloud saw since the last step with what it saw of the reference, or with what is listed. */
export function compareRequests(bench: Bench, { difference }: Replay, id: string): void {
  const requests = bench.cloud.seen.slice(bench.seenBefore);
  if (difference?.requests) {
    const { requests: listed } = difference;
    orAsRecorded(
      difference,
      () => isAsRecorded(requests, id),
      () => assertListed(id, requests, listed),
    );
    return;
  }
  assertRecorded(requests, id);
}

function isAsRecorded(requests: readonly CloudRequest[], id: string): boolean {
  try {
    assertRecorded(requests, id);
    return RECORDED.has(id);
  } catch {
    return false;
  }
}

function assertRecorded(requests: readonly CloudRequest[], id: string): void {
  const steps = RECORDED.get(id);
  if (!steps) return;
  const expected = steps.filter(({ method }) => method !== undefined);
  const kinds = (list: readonly { method?: string; target?: string }[]) =>
    list.map(({ method, target = '' }) => `${method} ${pathOnly({ target })}`);
  assert.deepEqual(kinds(requests), kinds(expected), `${id} sends other requests than the reference`);
  requests.forEach((request, at) => {
    const wanted = expected[at] ?? {};
    const form = id.startsWith('proxy/') ? request : { ...request, target: originForm(request.target) };
    assert.deepEqual(seen(form, wanted), recorded(wanted), `${id}: request ${at + 1} differs`);
  });
}
