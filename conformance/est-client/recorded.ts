import { readFileSync } from 'node:fs';
import type { Behaviour } from './responder.ts';

/** A request that the reference sent. */
export interface RecordedRequest {
  readonly request?: string;
  readonly headers: readonly string[];
  readonly tls?: { readonly version: string; readonly sni: string | null; readonly clientChain: readonly string[] };
  readonly body?: {
    readonly lineLengths: readonly number[];
    readonly endsWithNewline: boolean;
    readonly carriageReturns: boolean;
    readonly csr: { readonly subject: string };
  };
}

/** One scenario of fixtures/golden/est-wire.json. */
export interface RecordedScenario {
  readonly id: string;
  readonly store: 'files' | 'softhsm';
  readonly section?: string;
  readonly config: string;
  readonly server: Behaviour | null;
  readonly answers?: readonly {
    readonly certId: string;
    readonly status: number;
    readonly certificates?: { readonly chainSubjects: readonly string[] };
  }[];
  readonly after?: {
    readonly certificates?: Readonly<Record<string, { readonly chainSubjects: readonly string[] } | null>>;
    readonly identityKeyChanged?: boolean | null;
  };
  readonly exit?: number;
  /** The head of each CONNECT, line by line. */
  readonly proxySaw?: readonly (readonly string[])[];
  readonly wire: { readonly requests: readonly RecordedRequest[] };
}

const FILE = new URL('../../fixtures/golden/est-wire.json', import.meta.url);

/** All scenarios of the recording. */
export function recordedScenarios(): readonly RecordedScenario[] {
  return (JSON.parse(readFileSync(FILE, 'utf8')) as { scenarios: RecordedScenario[] }).scenarios;
}

/** What ours gives in place of the recorded outcome; the reasons stand in docs/differences/certificates.md. */
export interface Own {
  /** Statuses of the answers; [] where nothing is asked. */
  readonly answers?: readonly number[];
  /** `same`: each kind as often as recorded; `kinds`: no other kinds; `fewer`: some of the recording's kinds at least; `any`. */
  readonly requests?: 'same' | 'kinds' | 'fewer' | 'none' | 'any';
  /** Subjects of what is stored under `device-id` and `est-id` afterwards; null: nothing. */
  readonly after?: Readonly<Record<string, readonly string[] | null>>;
  /** A set-up of its own, where the recorded one would go on for ever. */
  readonly server?: Behaviour;
}

const DEVICE = ['O=Test,CN=from the csr', 'CN=TEST issuing', 'CN=TEST root'];
const NOTHING: Own = { answers: [500], after: { 'device-id': null } };
const ACCEPTED: Own = { answers: [201], after: { 'device-id': DEVICE } };
const REPEATED: Own = { requests: 'kinds' };
const MADE_ANEW: Own = { answers: [201], requests: 'any', after: { 'device-id': DEVICE, 'est-id': DEVICE } };

export const OWN: Readonly<Record<string, Own>> = {
  'url-with-query': { requests: 'none' },
  'basic-wrong': { requests: 'fewer' },
  'auth-none': { requests: 'none' },
  'body-der': ACCEPTED,
  'body-nocerts': NOTHING,
  'body-emptycerts': NOTHING,
  'body-nocontent': NOTHING,
  'body-data': NOTHING,
  'cacerts-body-html': { requests: 'fewer' },
  'ctype-upper': ACCEPTED,
  'ctype-blank': ACCEPTED,
  'status-202': {
    ...ACCEPTED,
    requests: 'kinds',
    server: { auth: 'basic', quirks: { simpleenroll: { status: 202, retry_after: 1, times: 1 } } },
  },
  'status-500': REPEATED,
  'status-503': REPEATED,
  // the recording shows that a certificate stored before is left alone; here there is none
  'cacerts-500': { requests: 'fewer', after: { 'device-id': null } },
  'cacerts-204': { requests: 'fewer' },
  'once-500': { answers: [201, 201], requests: 'kinds' },
  'chain-full': ACCEPTED,
  'chain-reversed': ACCEPTED,
  'chain-twice': ACCEPTED,
  'key-other': NOTHING,
  'leaf-expired': NOTHING,
  close: REPEATED,
  cut: REPEATED,
  'identity-refused-in-handshake': MADE_ANEW,
  'identity-answered-401': { requests: 'any' },
  'identity-expired-at-start-no-bootstrap': { answers: [500], requests: 'none' },
  'identity-expired-at-start-server-500': { answers: [500], requests: 'any' },
  'identity-due-at-start-server-500': { answers: [500], requests: 'kinds' },
  'identity-due-refused-once': {
    requests: 'any',
    after: { 'device-id': DEVICE, 'est-id': ['CN=TEST due identity', 'CN=TEST issuing', 'CN=TEST root'] },
  },
  'identity-damaged': MADE_ANEW,
  'identity-empty-file': MADE_ANEW,
  'identity-no-url-for-it': { ...ACCEPTED, requests: 'any' },
  'identity-expired-at-start-bootstrap/softhsm': {
    answers: [201],
    requests: 'any',
    after: { 'device-id': DEVICE, 'est-id': ['CN=TEST expired identity', 'CN=TEST issuing', 'CN=TEST root'] },
  },
};
