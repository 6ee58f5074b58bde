import {
  type Clock,
  createFaultScript,
  createJournal,
  type FaultScript,
  type Journal,
  SystemClock,
  startFrontDoor,
  type TestPki,
} from '../common/index.ts';
import { answer } from './answer.ts';
import type { PendingRequest } from './approvals.ts';
import { authDefect } from './auth.ts';
import { Authorities, type RolloverPhase } from './authorities.ts';
import type { RevocationReason } from './crl.ts';
import { writeCsrAttributes } from './csr-attributes.ts';
import { pem } from './der.ts';
import { type IssuedCredential, type IssueWish, issueByHand } from './issue-by-hand.ts';
import type { IssuedRecord } from './ledger.ts';
import { isLabel } from './path.ts';
import { type EstProfile, wholeProfile } from './profile.ts';
import type { EstQuirks } from './quirks.ts';
import { makeServerCertificate } from './server-certificate.ts';
import { World } from './world.ts';

const LARGEST_REQUEST_BYTES = 64 * 1024;
const HOSTS = ['localhost', '127.0.0.1'];

/** What an EST simulator is made of: the profile of the server itself, and where it stands. */
export interface EstSimulatorOptions extends EstProfile {
  readonly pki: TestPki;
  readonly clock?: Clock;
  readonly host?: string;
  /** 0, the default: any free port. */
  readonly port?: number;
  /** Names and addresses in the server's certificate; `localhost` and `127.0.0.1` where absent. */
  readonly hosts?: readonly string[];
  /** Other profiles by label; what one leaves out is as in the server's own. Unknown labels are 404 where there are any, else served alike. */
  readonly labels?: Readonly<Record<string, Partial<EstProfile>>>;
  readonly journal?: Journal;
  readonly faults?: FaultScript;
  readonly quirks?: EstQuirks | readonly EstQuirks[];
}

/** An EST server that is up. */
export interface EstSimulator {
  /** Base URL, `https://localhost:PORT/.well-known/est`. */
  readonly url: string;
  /** Issuing authority and root, PEM: `openssl verify -CAfile` of what is issued now. */
  readonly caPem: string;
  readonly journal: Journal;
  readonly faults: FaultScript;
  readonly clock: Clock;
  /** Where a change of the root stands. */
  readonly rollover: RolloverPhase;
  /** How many certificates were issued in all. */
  readonly issuedTotal: number;
  /** Several quirks may hold at once; those further down win. */
  setQuirks(quirks: EstQuirks | readonly EstQuirks[]): void;
  readonly quirks: EstQuirks | readonly EstQuirks[];
  /** Makes or changes a label; what is left out is as in the server's own profile. @throws Error for a profile that could issue to nobody */
  setLabel(label: string, profile: Partial<EstProfile>): Promise<void>;
  removeLabel(label: string): void;
  readonly labels: readonly string[];
  /** A certificate by hand, past every rule of enrolment. */
  issue(wish: IssueWish): Promise<IssuedCredential>;
  /** The newest 10,000, oldest first. */
  issued(): readonly IssuedRecord[];
  /** The certificate is refused from now on, and listed by `crl`. */
  revoke(serial: string, reason?: RevocationReason): 'revoked' | 'unknown';
  /** Revocation list of the authority behind a label (absent: of the server's own), DER. */
  crl(label?: string): Promise<Buffer>;
  /** Requests that were put off. */
  pending(): readonly PendingRequest[];
  approve(id: string): PendingRequest | undefined;
  reject(id: string): PendingRequest | undefined;
  /** Changes the root step by step: `steady`, `announced`, `switched`, `steady` (RFC 4210 4.4). */
  advanceRollover(): Promise<RolloverPhase>;
  close(): Promise<void>;
}

/** @throws Error that says what is wrong with the profile */
function checkProfile(profile: EstProfile, where: string): void {
  const defect = authDefect(profile.auth);
  if (defect !== undefined) throw new Error(`${where}: ${defect}`);
  writeCsrAttributes(profile.csrAttributes ?? []);
}

/**
 * Starts an EST server over TLS that verifies every credential (RFC 7030, RFC 8951; spec/est.md 4).
 *
 * @throws where the address is in use, or where a profile names no credential: such a server could issue to nobody.
 */
export async function createEstSimulator(options: EstSimulatorOptions): Promise<EstSimulator> {
  const { pki, host, port, hosts = HOSTS, labels = {}, quirks = {}, ...rest } = options;
  const { clock = new SystemClock(), journal = createJournal(), faults = createFaultScript(), ...base } = rest;
  checkProfile(base, 'EST simulator');
  const authorities = new Authorities(pki, clock);
  const world = new World({ clock, authorities, base: wholeProfile(base) }, quirks);

  let shown: readonly Buffer[] = [];
  const show = async () => {
    shown = await authorities.shown(world.base.ca);
  };
  const setLabel = async (label: string, profile: Partial<EstProfile>) => {
    if (!isLabel(label)) throw new Error(`EST simulator: "${label}" cannot be a label`);
    const whole = { ...base, ...profile };
    checkProfile(whole, `EST simulator, label ${label}`);
    await authorities.shown(whole.ca ?? world.base.ca);
    world.labels.set(label, wholeProfile(whole));
  };
  for (const [label, profile] of Object.entries(labels)) await setLabel(label, profile);
  await show();

  const door = await startFrontDoor({
    service: 'est',
    tls: await makeServerCertificate(authorities, { hosts, now: Date.now() }),
    handler: (request) => answer(world, request),
    journal,
    faults,
    clock,
    maxBodyBytes: LARGEST_REQUEST_BYTES,
    host,
    port,
  });
  return {
    url: `${door.url}/.well-known/est`,
    get caPem() {
      return shown
        .slice(0, 2)
        .map((certificate) => pem('CERTIFICATE', certificate))
        .join('');
    },
    journal,
    faults,
    clock,
    get rollover() {
      return authorities.phase;
    },
    get issuedTotal() {
      return world.ledger.total;
    },
    get quirks() {
      return world.quirks;
    },
    setQuirks(now) {
      world.quirks = now;
    },
    setLabel,
    removeLabel(label) {
      world.labels.delete(label);
    },
    get labels() {
      return [...world.labels.keys()];
    },
    issue: (wish) => issueByHand(world, wish),
    issued: () => world.ledger.list(),
    revoke: (serial, reason = 'unspecified') => world.ledger.revoke(serial, reason, clock.now()),
    async crl(label) {
      const { ca } = world.profile(label) ?? world.base;
      return world.crl(ca, await authorities.issuer(ca));
    },
    pending: () => world.approvals.list(),
    approve: (id) => world.approvals.decide(id, 'approved'),
    reject: (id) => world.approvals.decide(id, 'rejected'),
    async advanceRollover() {
      const phase = await authorities.advance();
      await show();
      if (phase !== 'announced')
        door.setCertificate(await makeServerCertificate(authorities, { hosts, now: Date.now() }));
      return phase;
    },
    close: () => door.close(),
  };
}
