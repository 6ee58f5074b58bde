import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { ecPublicKeyInfo } from '../der.ts';
import { CK, type Handle, ulongOf } from './cryptoki.ts';
import type { PairObjects } from './object-cache.ts';
import { attributesOf, findAll, labelOf, readPair } from './objects.ts';
import type { TokenSession } from './token-slot.ts';

const TRIAL = Buffer.from('which private key belongs to this public key?');
const SIGNATURE_ROOM = 256;

function sameModulus(session: TokenSession, { privateKey, publicKey }: PairObjects): boolean {
  const [own, other] = [privateKey, publicKey].map(
    (object) => attributesOf(session, object, [CK.attribute.modulus])[0],
  );
  return own !== undefined && other !== undefined && own.equals(other);
}

/** The key of a public object; undefined where its point is none of its curve. */
function publicKeyOf({
  curveOid,
  compressedPoint,
}: Extract<PairObjects['pair'], { algorithm: 'ECDSA' }>): KeyObject | undefined {
  try {
    return createPublicKey({ key: ecPublicKeyInfo(curveOid, compressedPoint), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/** A private EC key in a token shows no public point: it signs, and the public key verifies. */
function signsFor({ cryptoki, handle }: TokenSession, privateKey: Handle, key: KeyObject): boolean {
  const digest = createHash('sha256').update(TRIAL).digest();
  cryptoki.C_SignInit(handle, { mechanism: CK.mechanism.ecdsa }, privateKey);
  const signature = cryptoki.C_Sign(handle, digest, Buffer.alloc(SIGNATURE_ROOM));
  return verify('sha256', TRIAL, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

/** Whether the two objects are halves of one pair. */
function belongTogether(session: TokenSession, pair: PairObjects): boolean {
  if (pair.pair.algorithm === 'RSA') return sameModulus(session, pair);
  const key = publicKeyOf(pair.pair);
  return key !== undefined && signsFor(session, pair.privateKey, key);
}

function keyTypeOf(session: TokenSession, object: Handle): number {
  return ulongOf(attributesOf(session, object, [CK.attribute.keyType])[0] ?? Buffer.alloc(8, 0xff));
}

/** Whether a public object has its public half: one whose making was cut off may be there without it. */
function isWhole(session: TokenSession, publicKey: Handle, type: number): boolean {
  const wanted = type === CK.keyType.ec ? CK.attribute.ecPoint : CK.attribute.modulus;
  return (attributesOf(session, publicKey, [wanted])[0]?.length ?? 0) > 0;
}

/** A private and a public object as one pair; undefined where they are not of one type, RSA or EC, or the public one is not whole. */
function pairFrom(session: TokenSession, privateKey: Handle, publicKey: Handle): PairObjects | undefined {
  const type = keyTypeOf(session, privateKey);
  if (type !== keyTypeOf(session, publicKey) || (type !== CK.keyType.ec && type !== CK.keyType.rsa)) return undefined;
  if (!isWhole(session, publicKey, type)) return undefined;
  return { privateKey, publicKey, pair: readPair(session, publicKey, type) };
}

const publicBytes = ({ pair }: PairObjects): Buffer =>
  pair.algorithm === 'ECDSA' ? pair.compressedPoint : pair.modulus;

/** Of several whole pairs always the same one, whatever order the token gives its objects in: the one with the smallest public bytes. */
function oneMatch(
  session: TokenSession,
  privateKeys: readonly Handle[],
  publicKeys: readonly Handle[],
): PairObjects | undefined {
  const found: PairObjects[] = [];
  for (const privateKey of privateKeys) {
    for (const publicKey of publicKeys) {
      const pair = pairFrom(session, privateKey, publicKey);
      if (pair && belongTogether(session, pair)) found.push(pair);
    }
  }
  return found.sort((a, b) => Buffer.compare(publicBytes(a), publicBytes(b)))[0];
}

/**
 * The pair whose public and private objects carry this label (absent: the first private key's) and are of one type, RSA or EC. Where a
 * move was cut off, a label may have several objects or a private key without its public one: then those that belong together count.
 */
export function findPair(session: TokenSession, label: string | undefined): PairObjects | undefined {
  const known = session.objects.pair(label);
  if (known) return known;
  const all = findAll(session, 'privateKey', label);
  const privateKeys = label === undefined ? all.slice(0, 1) : all;
  const [first] = privateKeys;
  if (!first) return undefined;
  const publicKeys = findAll(session, 'publicKey', label ?? labelOf(session, first));
  const [only] = publicKeys;
  let found: PairObjects | undefined;
  if (only && privateKeys.length === 1 && publicKeys.length === 1) found = pairFrom(session, first, only);
  else found = oneMatch(session, privateKeys, only ? publicKeys : findAll(session, 'publicKey', undefined));
  if (found) session.objects.keepPair(label, found);
  return found;
}
