import type { Fault } from '../../common/index.ts';
import { pem } from '../der.ts';
import type { EstSimulator } from '../est-simulator.ts';
import type { IssuedRecord } from '../ledger.ts';
import { journalView } from './journal-view.ts';
import { readJson } from './read-body.ts';
import { ControlRefusal } from './refusal.ts';
import { CLOCK_BODY, FAIL_BODY, ID_BODY, ISSUE_BODY, PROFILE_BODY, QUIRKS_BODY, REVOKE_BODY } from './schemas.ts';
import { TurnableClock } from './turnable-clock.ts';

/** What a route is given. */
export interface ControlCall {
  readonly est: EstSimulator;
  /** Last part of the path where the route has one. */
  readonly name: string;
  readonly query: URLSearchParams;
  /** The body, unread JSON. */
  readonly text: string;
}

/** What a route answers: JSON, or bytes with their type. */
export type ControlAnswer =
  | { readonly status: number; readonly json: unknown }
  | { readonly status: number; readonly type: string; readonly bytes: Buffer | string };

/** One thing that the control API does. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** A trailing `/*` stands for a name. */
  readonly path: string;
  readonly does: string;
  run(call: ControlCall): Promise<ControlAnswer> | ControlAnswer;
}

const ok = (json: unknown): ControlAnswer => ({ status: 200, json });
const DEFAULT_FAULT: Fault = { kind: 'status', status: 503 };

const issuedView = ({ der, notBefore, notAfter, ...record }: IssuedRecord) => ({
  ...record,
  notBefore: new Date(notBefore).toISOString(),
  notAfter: new Date(notAfter).toISOString(),
  certificatePem: pem('CERTIFICATE', der),
});

function clockOf(est: EstSimulator): TurnableClock {
  if (est.clock instanceof TurnableClock) return est.clock;
  throw new ControlRefusal(409, 'the clock of this server is not turned from here');
}

const clockView = (clock: TurnableClock) => {
  const { now, state } = clock.read();
  return { now: new Date(now).toISOString(), state };
};

function stateOf(est: EstSimulator) {
  return {
    url: est.url,
    now: new Date(est.clock.now()).toISOString(),
    labels: est.labels,
    rollover: est.rollover,
    issuedTotal: est.issuedTotal,
    requests: est.journal.list().length,
    waiting: est.pending().filter(({ state }) => state === 'waiting').length,
    quirks: est.quirks,
  };
}

function decide(call: ControlCall, how: 'approve' | 'reject'): ControlAnswer {
  const { id } = readJson(ID_BODY, call.text);
  const decided = call.est[how](id);
  if (!decided) throw new ControlRefusal(404, `no request ${id} waits; see GET /pending`);
  return ok(decided);
}

/** Runs what throws an Error for a wish that cannot be fulfilled. */
async function wished<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new ControlRefusal(400, (error as Error).message);
  }
}

function turnClock({ est, text }: ControlCall): ControlAnswer {
  const clock = clockOf(est);
  const { now, turnSeconds, state } = readJson(CLOCK_BODY, text);
  const at = now === undefined ? undefined : Date.parse(now);
  if (at !== undefined && !Number.isFinite(at)) throw new ControlRefusal(400, 'now: not a time in ISO 8601');
  if (state !== undefined) clock.put(state);
  if (at !== undefined) clock.set(at);
  if (turnSeconds !== undefined) clock.turn(turnSeconds * 1000);
  return ok(clockView(clock));
}

function fail({ est, text }: ControlCall): ControlAnswer {
  const { fault = DEFAULT_FAULT, ...when } = readJson(FAIL_BODY, text);
  est.faults.add({
    fault: fault as Fault,
    times: when.probability === undefined ? 1 : Number.POSITIVE_INFINITY,
    ...when,
  });
  return ok({
    fault,
    times: when.times ?? (when.probability === undefined ? 1 : 'always'),
    where: when.where ?? 'every request',
  });
}

/** The control API, in the order in which it is listed. */
export const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/state', does: 'what the server is and does now', run: ({ est }) => ok(stateOf(est)) },
  {
    method: 'GET',
    path: '/ca.pem',
    does: 'issuing authority and root',
    run: ({ est }) => ({ status: 200, type: 'application/x-pem-file', bytes: est.caPem }),
  },
  {
    method: 'POST',
    path: '/issue',
    does: 'a certificate by hand: {csr} or {commonName, sans, key}, {label, ca, lifetimeSeconds, notBeforeOffsetSeconds}',
    run: async ({ est, text }) => {
      const wish = readJson(ISSUE_BODY, text);
      return { status: 201, json: await wished(() => est.issue(wish)) };
    },
  },
  {
    method: 'GET',
    path: '/issued',
    does: 'the newest 10,000 certificates, oldest first; ?subject=TEXT, ?last=N',
    run: ({ est, query }) => {
      const subject = query.get('subject') ?? '';
      const fitting = est.issued().filter((record) => record.subject.includes(subject));
      return ok(fitting.slice(-lastOf(query)).map(issuedView));
    },
  },
  {
    method: 'POST',
    path: '/revoke',
    does: 'revokes {serial, reason}: refused as a client certificate, and listed',
    run: ({ est, text }) => {
      const { serial, reason } = readJson(REVOKE_BODY, text);
      if (est.revoke(serial, reason) === 'unknown') throw new ControlRefusal(404, `no certificate ${serial} is known`);
      return ok({ serial: serial.toUpperCase(), reason: reason ?? 'unspecified' });
    },
  },
  {
    method: 'GET',
    path: '/crl',
    does: 'revocation list, DER; ?label=NAME',
    run: async ({ est, query }) => {
      const bytes = await est.crl(query.get('label') ?? undefined);
      return { status: 200, type: 'application/pkix-crl', bytes };
    },
  },
  { method: 'POST', path: '/fail', does: 'the next requests fail: {times, fault, where, probability}', run: fail },
  {
    method: 'DELETE',
    path: '/fail',
    does: 'no more failures',
    run: ({ est }) => {
      est.faults.clear();
      return { status: 204, json: undefined };
    },
  },
  { method: 'GET', path: '/quirks', does: 'the quirks that hold', run: ({ est }) => ok(est.quirks) },
  {
    method: 'PUT',
    path: '/quirks',
    does: 'these quirks hold from now on, one object or a list',
    run: ({ est, text }) => {
      est.setQuirks(readJson(QUIRKS_BODY, text));
      return ok(est.quirks);
    },
  },
  {
    method: 'DELETE',
    path: '/quirks',
    does: 'no quirks',
    run: ({ est }) => {
      est.setQuirks({});
      return { status: 204, json: undefined };
    },
  },
  { method: 'GET', path: '/clock', does: 'the time of the server', run: ({ est }) => ok(clockView(clockOf(est))) },
  { method: 'POST', path: '/clock', does: 'sets it {now}, turns it {turnSeconds}, stops it {state}', run: turnClock },
  {
    method: 'GET',
    path: '/journal',
    does: 'requests, oldest first, credentials masked; ?last=N',
    run: ({ est, query }) => ok(est.journal.list().slice(-lastOf(query)).map(journalView)),
  },
  {
    method: 'DELETE',
    path: '/journal',
    does: 'forgets them',
    run: ({ est }) => {
      est.journal.clear();
      return { status: 204, json: undefined };
    },
  },
  { method: 'GET', path: '/pending', does: 'requests that were put off', run: ({ est }) => ok(est.pending()) },
  { method: 'POST', path: '/approve', does: 'lets {id} have its certificate', run: (call) => decide(call, 'approve') },
  { method: 'POST', path: '/reject', does: 'refuses {id} with 403', run: (call) => decide(call, 'reject') },
  {
    method: 'POST',
    path: '/rollover',
    does: 'one step of a change of the root: announced, switched, steady',
    run: async ({ est }) => ok({ phase: await est.advanceRollover() }),
  },
  {
    method: 'PUT',
    path: '/labels/*',
    does: 'makes or changes a label; what is left out is as in the profile of the server',
    run: async ({ est, name, text }) => {
      const profile = readJson(PROFILE_BODY, text);
      await wished(() => est.setLabel(name, profile));
      return ok({ label: name, url: `${est.url}/${name}` });
    },
  },
  {
    method: 'DELETE',
    path: '/labels/*',
    does: 'removes it',
    run: ({ est, name }) => {
      if (!est.labels.includes(name)) throw new ControlRefusal(404, `no label ${name}`);
      est.removeLabel(name);
      return { status: 204, json: undefined };
    },
  },
];

/** How many of a list are asked for by `?last=N`; all where it is absent. @throws ControlRefusal 400 */
function lastOf(query: URLSearchParams): number {
  const last = query.get('last');
  if (last === null) return Number.MAX_SAFE_INTEGER;
  if (!/^[1-9]\d{0,6}$/.test(last)) throw new ControlRefusal(400, 'last: a number from 1 on');
  return Number(last);
}
