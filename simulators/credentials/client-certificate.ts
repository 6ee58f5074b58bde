import { createHash, timingSafeEqual, type X509Certificate } from 'node:crypto';
import { readPemChain } from '../common/index.ts';
import { pathLengthOf } from './path-length.ts';
import { refused, type Verdict } from './verdict.ts';

/** What every client certificate must be, whatever it is matched with. */
export interface CertificateExpectation {
  /** The common name, letter for letter; `undefined` where any name will do. */
  commonName: string | undefined;
  /** Milliseconds since 1970. */
  now: number;
}

/** How far the anchor was from the leaf: 1 when it issued the leaf itself. */
export type ChainVerdict = { verified: true; by: string; depth: number } | { verified: false; reason: string };

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';
const LONGEST_CHAIN = 8;

/**
 * Checks the leaf against enrolled thumbprints: upper-case hex of SHA-1 or SHA-256 (spec cloud.md 9.6, 10.3). TLS has
 * shown already that the caller has the private key.
 *
 * @param chain the certificates of the handshake, leaf first.
 */
export function checkThumbprint(
  chain: readonly X509Certificate[],
  thumbprints: readonly string[],
  expected: CertificateExpectation,
): Verdict {
  const leaf = chain[0];
  const fault = leafFault(leaf, expected);
  if (!leaf || fault) return refused(fault ?? 'no certificate');
  const sha1 = createHash('sha1').update(leaf.raw).digest();
  const sha256 = createHash('sha256').update(leaf.raw).digest();
  const matches = thumbprints
    .map((hex) => Buffer.from(hex, 'hex'))
    .map((wanted) => equal(wanted, wanted.length === 20 ? sha1 : sha256));
  return matches.includes(true)
    ? { verified: true, by: 'thumbprint' }
    : refused('the certificate is not the enrolled one');
}

/**
 * Checks that the chain leads from the leaf to one of the anchors: every signature, validity now, and that every
 * issuer may issue (CA flag, certificate signing, path length). The way to the nearest anchor counts.
 *
 * @param chain the certificates of the handshake, leaf first; their order beyond the leaf does not matter.
 * @param anchors PEM.
 */
export function checkChain(
  chain: readonly X509Certificate[],
  anchors: readonly string[],
  expected: CertificateExpectation,
): ChainVerdict {
  const [leaf, ...others] = chain;
  const fault = leafFault(leaf, expected);
  if (!leaf || fault) return refused(fault ?? 'no certificate');
  const trusted = anchors.flatMap(readPemChain);

  // breadth first, each authority once: where it is reached first, the fewest stand below it, so no limit is judged too hard
  const left = new Set(others.slice(0, LONGEST_CHAIN));
  let level = [leaf];
  for (let depth = 1; depth <= LONGEST_CHAIN && level.length > 0; depth += 1) {
    const issuersIn = (candidates: Iterable<X509Certificate>) =>
      [...candidates].filter((ca) => level.some((below) => mayHaveIssued(ca, below, depth - 1, expected.now)));
    const anchor = issuersIn(trusted)[0];
    if (anchor) return { verified: true, by: `certificate of ${anchor.subject.replaceAll('\n', ', ')}`, depth };
    const next = issuersIn(left);
    for (const reached of next) left.delete(reached);
    level = next;
  }
  return refused('the certificate leads to no enrolled authority');
}

function leafFault(leaf: X509Certificate | undefined, { commonName, now }: CertificateExpectation): string | undefined {
  if (!leaf) return 'no certificate';
  if (!isValidAt(leaf, now)) return 'the certificate is expired or not yet valid';
  const usages = leaf.keyUsage as string[] | undefined;
  if (usages && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_USAGE))
    return 'the certificate is not for clients';
  if (commonName === undefined) return undefined;
  const names = commonNames(leaf);
  if (names.length === 1 && names[0] === commonName) return undefined;
  return `the common name ${names.map((name) => `'${name}'`).join(', ')} is not '${commonName}'`;
}

/** @param below how many authorities stand between the issuer and the leaf. */
function mayHaveIssued(issuer: X509Certificate, certificate: X509Certificate, below: number, now: number): boolean {
  if (!issuer.ca || !isValidAt(issuer, now) || !certificate.checkIssued(issuer)) return false;
  const limit = pathLengthOf(issuer.raw);
  if (limit !== undefined && below > limit) return false;
  return certificate.verify(issuer.publicKey);
}

function isValidAt(certificate: X509Certificate, now: number): boolean {
  return certificate.validFromDate.getTime() <= now && now < certificate.validToDate.getTime() + 1000;
}

function commonNames(certificate: X509Certificate): string[] {
  const names: string | string[] | undefined = certificate.toLegacyObject().subject.CN;
  return names === undefined ? [] : [names].flat();
}

function equal(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
