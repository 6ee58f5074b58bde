import { ecdsaSignatureToDer } from '../der.ts';
import { CK, isSessionLost, isUnsupported } from './cryptoki.ts';
import type { TokenOutcome, TokenTask } from './messages.ts';
import { destroyAll, findAll } from './objects.ts';
import { findPair } from './pair-search.ts';
import { newPair } from './templates.ts';
import type { TokenSession } from './token-slot.ts';

const LONGEST_SIGNATURE_BYTES = 2048;
/** An algorithm that the token may have is tried again before another is: a fault that passes must not change the kind of key. */
const MOST_TRIES = 2;
const DONE: TokenOutcome = { outcome: 'done' };
const MISSING: TokenOutcome = { outcome: 'missing' };

const SIGN_MECHANISMS = {
  ECDSA: CK.mechanism.ecdsa,
  'RSA-PKCS1': CK.mechanism.rsaPkcs,
  'RSA-NO-PADDING': CK.mechanism.rsaX509,
} as const;

const objectsOf = (session: TokenSession, label: string) => [
  ...findAll(session, 'publicKey', label),
  ...findAll(session, 'privateKey', label),
];

export function pairOf(session: TokenSession, label: string | undefined): TokenOutcome {
  const found = findPair(session, label);
  return found ? { outcome: 'done', pair: found.pair } : MISSING;
}

export function deletePair(session: TokenSession, label: string): TokenOutcome {
  destroyAll(session, objectsOf(session, label));
  return DONE;
}

/** Makes a pair of the first algorithm that the token can, unless one is there; objects of an incomplete older pair go afterwards. */
export async function makePair(
  session: TokenSession,
  label: string,
  algorithms: readonly string[],
): Promise<TokenOutcome> {
  if (findPair(session, label)) return DONE;
  const older = objectsOf(session, label);
  const failures: string[] = [];
  for (const algorithm of algorithms) {
    const rsa = algorithm.startsWith('rsa-');
    const [publicKey, privateKey] = newPair(label, rsa ? { rsaBits: Number(algorithm.slice('rsa-'.length)) } : {});
    const mechanism = { mechanism: rsa ? CK.mechanism.rsaPairGen : CK.mechanism.ecPairGen };
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
      try {
        await session.cryptoki.C_GenerateKeyPairAsync(session.handle, mechanism, publicKey, privateKey);
        destroyAll(session, older);
        return DONE;
      } catch (error) {
        if (isSessionLost(error)) throw error;
        failures.push(`${algorithm}: ${error instanceof Error ? error.message : String(error)}`);
        if (isUnsupported(error)) break;
      }
    }
  }
  const tried = failures.length > 0 ? failures.join(', ') : 'no known algorithm was asked for';
  return { outcome: 'unfit', reason: `the token made no key pair (${tried})` };
}

/**
 * Gives the pair `from` the label `to`, in place of what has it. What had the label goes last, so that wherever this is cut off, `to` is
 * the old or the new pair, for good (see {@link findPair}). A missing source changes nothing.
 */
export function movePair(session: TokenSession, from: string, to: string): TokenOutcome {
  const source = findPair(session, from);
  if (!source) return MISSING;
  const replaced = [...findAll(session, 'privateKey', to), ...findAll(session, 'publicKey', to)].filter(
    (object) => !object.equals(source.publicKey),
  );
  const label = [{ type: CK.attribute.label, value: Buffer.from(to) }];
  session.cryptoki.C_SetAttributeValue(session.handle, source.publicKey, label);
  session.cryptoki.C_SetAttributeValue(session.handle, source.privateKey, label);
  destroyAll(session, replaced);
  return DONE;
}

/** ECDSA over a digest as DER, or the bare RSA operation. `unfit` where the mechanism is not that of the key. */
export async function sign(
  session: TokenSession,
  { label, mechanism, data }: Extract<TokenTask, { task: 'sign' }>,
): Promise<TokenOutcome> {
  const found = findPair(session, label);
  if (!found) return MISSING;
  const { pair, privateKey } = found;
  if ((mechanism === 'ECDSA') !== (pair.algorithm === 'ECDSA')) {
    return { outcome: 'unfit', reason: `${mechanism} does not fit the algorithm of the key pair` };
  }
  if (mechanism === 'RSA-NO-PADDING' && pair.algorithm === 'RSA' && tooLarge(data, pair.modulus)) {
    return { outcome: 'unfit', reason: 'the block is not a number below the modulus' };
  }
  const { cryptoki, handle } = session;
  cryptoki.C_SignInit(handle, { mechanism: SIGN_MECHANISMS[mechanism] }, privateKey);
  const bytes = await session.run({
    room: LONGEST_SIGNATURE_BYTES,
    atOnce: (out) => cryptoki.C_Sign(handle, data, out),
    onThread: (out) => cryptoki.C_SignAsync(handle, data, out),
  });
  return { outcome: 'done', bytes: mechanism === 'ECDSA' ? ecdsaSignatureToDer(bytes) : bytes };
}

function tooLarge(block: Buffer, modulus: Buffer): boolean {
  return block.length > modulus.length || (block.length === modulus.length && Buffer.compare(block, modulus) >= 0);
}
