import { createPrivateKey, generateKeyPair, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock, TestCa, TestPki } from '../common/index.ts';
import { type Issuer, issuerOf, keyIdentifierOf, publicHalf, writeCertificate } from './certificate.ts';
import { basicConstraints, keyUsage } from './extensions.ts';

const YEAR_MS = 365 * 86_400_000;
const ROOT_LIFE_MS = 10 * YEAR_MS;
const HEAD_START_MS = 60_000;
const CERTIFICATE_AND_CRL_SIGNING = 0x06;

/**
 * Where a change of the root stands (RFC 4210 4.4): `steady`; `announced`, when cacerts shows the new root beside the old while
 * the old issues; `switched`, when the new one issues and cacerts still shows both.
 */
export type RolloverPhase = 'steady' | 'announced' | 'switched';

/** A change of the root that is under way. */
interface Rollover {
  readonly root: Issuer;
  /** The old root's name and key, signed by the new root; and the new one's, signed by the old. */
  readonly oldWithNew: Buffer;
  readonly newWithOld: Buffer;
  readonly issuing: Map<string, Promise<Issuer>>;
  phase: Exclude<RolloverPhase, 'steady'>;
}

function fromTestCa(ca: TestCa): Issuer {
  return issuerOf(new X509Certificate(ca.certificatePem), createPrivateKey(ca.keyPem));
}

/** The root and the authorities below it by name; the root can be changed while the server runs. */
export class Authorities {
  readonly #pki: TestPki;
  readonly #clock: Clock;
  #root: Issuer;
  #issuing = new Map<string, Promise<Issuer>>();
  #rollover: Rollover | undefined;

  constructor(pki: TestPki, clock: Clock) {
    this.#pki = pki;
    this.#clock = clock;
    this.#root = fromTestCa(pki.root);
  }

  get phase(): RolloverPhase {
    return this.#rollover?.phase ?? 'steady';
  }

  /** The authority of this name that issues now. */
  async issuer(name: string): Promise<Issuer> {
    const rollover = this.#rollover;
    return rollover?.phase === 'switched' ? this.#next(rollover, name) : this.#current(name);
  }

  /**
   * What cacerts shows for the authority, DER: the issuing authority and its root; while the root changes also the other root,
   * OldWithNew and NewWithOld (RFC 7030 4.1.3).
   */
  async shown(name: string): Promise<Buffer[]> {
    const current = await this.#current(name);
    const rollover = this.#rollover;
    if (!rollover) return [current.certificate, this.#root.certificate];
    const next = await this.#next(rollover, name);
    const old = [current.certificate, this.#root.certificate];
    const fresh = [next.certificate, rollover.root.certificate];
    const [first, second] = rollover.phase === 'switched' ? [fresh, old] : [old, fresh];
    return [...first, ...second, rollover.oldWithNew, rollover.newWithOld];
  }

  /** The authority's certificates of all generations, PEM: anchors for who was issued by any of them. */
  async generations(name: string): Promise<string[]> {
    const all = [await this.#current(name)];
    if (this.#rollover) all.push(await this.#next(this.#rollover, name));
    return all.map(({ certificate }) => new X509Certificate(certificate).toString());
  }

  /** Goes one phase on, from `switched` to `steady` with the new root alone. */
  async advance(): Promise<RolloverPhase> {
    const rollover = this.#rollover;
    if (!rollover) this.#rollover = await this.#begin();
    else if (rollover.phase === 'announced') rollover.phase = 'switched';
    else {
      this.#root = rollover.root;
      this.#issuing = rollover.issuing;
      this.#rollover = undefined;
    }
    return this.phase;
  }

  /** The new root as the old one signed it, while the new one issues: it leads who trusts the old root alone to the new. */
  bridge(): Buffer[] {
    return this.#rollover?.phase === 'switched' ? [this.#rollover.newWithOld] : [];
  }

  #current(name: string): Promise<Issuer> {
    const known = this.#issuing.get(name);
    if (known) return known;
    const made = this.#pki.ca(name).then(fromTestCa);
    this.#issuing.set(name, made);
    made.catch(() => this.#issuing.delete(name));
    return made;
  }

  async #next(rollover: Rollover, name: string): Promise<Issuer> {
    const old = await this.#current(name);
    const known = rollover.issuing.get(name);
    if (known) return known;
    const made = this.#authority(old.subject, rollover.root);
    rollover.issuing.set(name, made);
    return made;
  }

  async #begin(): Promise<Rollover> {
    const old = this.#root;
    const root = await this.#authority(old.subject, undefined);
    return {
      root,
      oldWithNew: this.#crossSigned(old, root),
      newWithOld: this.#crossSigned(root, old),
      issuing: new Map(),
      phase: 'announced',
    };
  }

  #validity(): { notBefore: Date; notAfter: Date } {
    const now = Math.floor(this.#clock.now() / 1000) * 1000;
    return { notBefore: new Date(now - HEAD_START_MS), notAfter: new Date(now + ROOT_LIFE_MS) };
  }

  /** Name and key of the one in a certificate signed by the other. */
  #crossSigned({ subject, spki }: Issuer, by: Issuer): Buffer {
    const extensions = [basicConstraints('authority'), keyUsage(CERTIFICATE_AND_CRL_SIGNING)];
    const { notBefore, notAfter } = this.#validity();
    const end = new Date(Math.min(notAfter.getTime(), by.notAfter));
    return writeCertificate({ subject, spki, notBefore, notAfter: end, extensions }, by).der;
  }

  /** A new authority, self-signed where nobody stands above. */
  async #authority(subject: Buffer, above: Issuer | undefined): Promise<Issuer> {
    const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
    const spki = publicHalf(privateKey);
    const extensions = [basicConstraints('authority'), keyUsage(CERTIFICATE_AND_CRL_SIGNING)];
    const self = { ...this.#root, subject, spki, privateKey, keyId: keyIdentifierOf(spki) };
    const { der } = writeCertificate({ subject, spki, ...this.#validity(), extensions }, above ?? self);
    return issuerOf(new X509Certificate(der), privateKey);
  }
}
