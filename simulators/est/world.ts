import { generateKeyPairSync } from 'node:crypto';
import type { Clock } from '../common/index.ts';
import { Approvals } from './approvals.ts';
import type { Authorities } from './authorities.ts';
import { type Issuer, keyIdentifierOf, spkiOf, writeCertificate } from './certificate.ts';
import { writeCrl } from './crl.ts';
import { der, oid, sequence, setOf, TAG } from './der.ts';
import { DigestDoor } from './digest.ts';
import { basicConstraints, keyUsage } from './extensions.ts';
import { Ledger } from './ledger.ts';
import type { EstProfile, WholeProfile } from './profile.ts';
import type { EstQuirks } from './quirks.ts';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const CERTIFICATE_AND_CRL_SIGNING = 0x06;

/** What a running server knows and remembers. */
export class World {
  readonly clock: Clock;
  readonly authorities: Authorities;
  readonly digest: DigestDoor;
  readonly ledger = new Ledger();
  readonly approvals = new Approvals();
  readonly labels = new Map<string, WholeProfile>();
  base: WholeProfile;
  quirks: EstQuirks | readonly EstQuirks[];
  #crlNumber = 0;
  #strangers: Buffer[] | undefined;

  constructor(
    parts: { readonly clock: Clock; readonly authorities: Authorities; readonly base: WholeProfile },
    quirks: EstQuirks | readonly EstQuirks[],
  ) {
    this.clock = parts.clock;
    this.authorities = parts.authorities;
    this.base = parts.base;
    this.quirks = quirks;
    this.digest = new DigestDoor(() => this.clock.now());
  }

  /** The profile behind a label; undefined where labels are configured and this is none of them. */
  profile(label: string | undefined): WholeProfile | undefined {
    if (label === undefined) return this.base;
    return this.labels.get(label) ?? (this.labels.size === 0 ? this.base : undefined);
  }

  /** The anchors of client certificates; of an authority of this server every generation counts. */
  async anchors({ ca, auth }: WholeProfile): Promise<EstProfile['auth']> {
    if (!auth.clientCas || this.authorities.phase === 'steady') return auth;
    const generations = await this.authorities.generations(ca);
    return generations.some((pem) => auth.clientCas?.some((anchor) => anchor.includes(pem.trim())))
      ? { ...auth, clientCas: [...auth.clientCas, ...generations] }
      : auth;
  }

  /** A fresh revocation list of the authority, DER. */
  crl(name: string, issuer: Issuer): Buffer {
    const now = Math.floor(this.clock.now() / 1000) * 1000;
    this.#crlNumber++;
    const revocations = this.ledger.revocations(name);
    return writeCrl({ revocations, number: this.#crlNumber, now, nextUpdate: now + DAY_MS }, issuer);
  }

  /** Two self-signed certificates that nothing here leads to. */
  strangers(): Buffer[] {
    this.#strangers ??= ['TEST stranger 1', 'TEST stranger 2'].map((name) => this.#selfSigned(name));
    return this.#strangers;
  }

  #selfSigned(commonName: string): Buffer {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = spkiOf(publicKey);
    const attribute = sequence(oid('2.5.4.3'), der(TAG.utf8String, Buffer.from(commonName)));
    const subject = sequence(setOf(attribute));
    const now = Math.floor(this.clock.now() / 1000) * 1000;
    const keyId = keyIdentifierOf(spki);
    const self: Issuer = { certificate: subject, subject, spki, privateKey, keyId, notAfter: now + YEAR_MS };
    const extensions = [basicConstraints('authority'), keyUsage(CERTIFICATE_AND_CRL_SIGNING)];
    const validity = { notBefore: new Date(now), notAfter: new Date(now + YEAR_MS) };
    return writeCertificate({ subject, spki, ...validity, extensions }, self).der;
  }
}
