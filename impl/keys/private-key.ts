import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { compressPoint, DER, readDer } from './der.ts';
import { EvpKey } from './evp-key.ts';
import { type PairMechanism, type PairParts, unsuitable } from './key-place.ts';
import type { PairAlgorithm } from './pair-algorithms.ts';

const generate = promisify(generateKeyPair);
const RSA_EXPONENT = 65537;
/** Bytes that PKCS#1 type-1 padding takes (RFC 8017 9.2). */
const PKCS1_OVERHEAD_BYTES = 11;

/** Makes a key pair off the event loop; answers its PKCS#8 PEM. RSA has the exponent 65537. */
export async function makePrivateKeyPem(algorithm: PairAlgorithm): Promise<string> {
  const made =
    algorithm === 'ec-p256'
      ? await generate('ec', { namedCurve: 'P-256' })
      : await generate('rsa', { modulusLength: Number(algorithm.slice(4)), publicExponent: RSA_EXPONENT });
  return made.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

function ecParts(publicKey: KeyObject): PairParts {
  const spki = readDer(publicKey.export({ type: 'spki', format: 'der' }));
  const algorithm = readDer(spki.content);
  const curve = readDer(readDer(algorithm.content).rest);
  const point = readDer(algorithm.rest).content.subarray(1);
  const curveOid = curve.tag === DER.oid ? readDer(algorithm.content).rest : Buffer.alloc(0);
  return { algorithm: 'ECDSA', curveOid, compressedPoint: compressPoint(point) };
}

function partsOf(privateKey: KeyObject): PairParts {
  const publicKey = createPublicKey(privateKey);
  if (privateKey.asymmetricKeyType === 'ec') return ecParts(publicKey);
  if (privateKey.asymmetricKeyType !== 'rsa') return { algorithm: 'other' };
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  return { algorithm: 'RSA', modulus: Buffer.from(n, 'base64url'), exponent: Buffer.from(e, 'base64url') };
}

/** A private key of the file store, parsed once. */
export class PrivateKey {
  readonly parts: PairParts;
  readonly #evp: EvpKey | undefined;

  /** Takes any PEM private key that OpenSSL reads without a passphrase (PKCS#8, SEC1, PKCS#1). Throws otherwise. */
  constructor(pem: Buffer) {
    let parsed: KeyObject;
    try {
      parsed = createPrivateKey({ key: pem, format: 'pem' });
    } catch {
      throw new Error('it holds no PEM private key that can be read without a passphrase');
    }
    this.parts = partsOf(parsed);
    if (this.parts.algorithm === 'other') return;
    const pkcs8 = parsed.export({ type: 'pkcs8', format: 'der' });
    this.#evp = new EvpKey(pkcs8, parsed.asymmetricKeyDetails?.namedCurve === 'prime256v1');
    pkcs8.fill(0);
  }

  /** See {@link KeyPlace.sign}. The lengths that OpenSSL would refuse are told apart here: a wrong block is the caller's fault. */
  async sign(mechanism: PairMechanism, input: Buffer): Promise<Buffer> {
    const { parts } = this;
    if (!this.#evp || (mechanism === 'ECDSA') !== (parts.algorithm === 'ECDSA')) {
      throw unsuitable(`${mechanism} does not fit the algorithm of the key pair`);
    }
    if (parts.algorithm === 'RSA') checkBlock(mechanism, input, parts.modulus);
    return this.#evp.sign(mechanism, input);
  }
}

function checkBlock(mechanism: PairMechanism, block: Buffer, modulus: Buffer): void {
  if (mechanism === 'RSA-PKCS1') {
    if (block.length > modulus.length - PKCS1_OVERHEAD_BYTES) {
      throw new Error(`a block of ${block.length} bytes is too long for RSA-PKCS1 with this key`);
    }
  } else if (block.length !== modulus.length || Buffer.compare(block, modulus) >= 0) {
    throw unsuitable('RSA-NO-PADDING needs as many bytes as the modulus has, and a number below it');
  }
}
