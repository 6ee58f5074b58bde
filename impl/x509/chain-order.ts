import type { KeyObject } from 'node:crypto';
import { type Certificate, publicKeyOf } from './certificate.ts';

/** Raised when no certificate belongs to the key that it was asked for. */
export class ChainError extends Error {
  override readonly name = 'ChainError';
}

function without(pool: readonly Certificate[], gone: Certificate): Certificate[] {
  return pool.filter((certificate) => certificate !== gone);
}

function distinct(certificates: readonly Certificate[]): Certificate[] {
  return certificates.filter((one, index) => certificates.findIndex((other) => other.der.equals(one.der)) === index);
}

/** Whether `issuer` signed `certificate`: names agree and OpenSSL verifies the signature. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (!certificate.issuer.equals(issuer.subject)) return false;
  const publicKey = publicKeyOf(issuer);
  return publicKey !== undefined && certificate.x509.verify(publicKey);
}

/** Those of the pool that share a name with the authorities of the chain, or with one another that does: older and newer roots. */
function relatives(pool: readonly Certificate[], authorities: readonly Certificate[]): Certificate[] {
  const names = new Set(
    authorities.flatMap(({ subject, issuer }) => [subject, issuer].map((name) => name.toString('hex'))),
  );
  const akin = ({ subject, issuer }: Certificate) =>
    names.has(subject.toString('hex')) || names.has(issuer.toString('hex'));
  const found = new Set<Certificate>();
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const one of pool.filter((candidate) => !found.has(candidate) && isAuthority(candidate) && akin(candidate))) {
      found.add(one);
      names.add(one.subject.toString('hex')).add(one.issuer.toString('hex'));
    }
  }
  return pool.filter((one) => found.has(one));
}

/** Version 1 roots say nothing about themselves; they have their own issuer as subject. */
function isAuthority({ x509, subject, issuer }: Certificate): boolean {
  return x509.ca || subject.equals(issuer);
}

/**
 * Puts what an enrolment returned in order (spec/est.md 2.2): the leaf, which is the issued certificate whose key is the one asked for,
 * then its issuers, each by name and signature, then authorities akin to them (roll-over certificates) as received. Byte-identical
 * duplicates and certificates that have nothing to do with the chain are dropped; where the issuer of the leaf was not among them, nothing
 * can be said about the rest, and it stays.
 *
 * @param issued answer of the enrolment; the leaf is looked for in it alone.
 * @param others further certificates, such as the CA list.
 * @throws ChainError when no issued certificate holds `publicKey`.
 */
export function orderChain(
  issued: readonly Certificate[],
  others: readonly Certificate[],
  publicKey: KeyObject,
): [leaf: Certificate, ...rest: Certificate[]] {
  const leaf = issued.find((certificate) => publicKeyOf(certificate)?.equals(publicKey));
  if (!leaf) throw new ChainError('none of the issued certificates belongs to the key of the request');
  const chain: [Certificate, ...Certificate[]] = [leaf];
  let pool = distinct([leaf, ...issued, ...others]).slice(1);
  let last = leaf;
  while (!last.subject.equals(last.issuer)) {
    const current = last;
    const issuer = pool.find((candidate) => isIssuedBy(current, candidate));
    if (!issuer) break;
    chain.push(issuer);
    pool = without(pool, issuer);
    last = issuer;
  }
  const [, ...authorities] = chain;
  return [...chain, ...(authorities.length > 0 ? relatives(pool, authorities) : pool)];
}
