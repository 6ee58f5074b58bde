import { CK, type Handle, isNotAuthentic, isSessionLost, isUnsupported } from './cryptoki.ts';
import type { TokenOutcome } from './messages.ts';
import { destroyAll, findAll, findSecret } from './objects.ts';
import { importedSecret, newSecret } from './templates.ts';
import type { TokenSession } from './token-slot.ts';

const MAC_BYTES = 32;
const TAG_BITS = 128;
const TAG_BYTES = TAG_BITS / 8;
const TRIAL_IV = Buffer.alloc(12);
/** Second try of an AES key, for tokens that know AES-128 only. */
const SHORT_AES_BYTES = 16;

const DONE: TokenOutcome = { outcome: 'done' };
const MISSING: TokenOutcome = { outcome: 'missing' };
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function gcm(iv: Buffer, aad: Buffer) {
  return {
    mechanism: CK.mechanism.aesGcm,
    parameter: { type: CK.aesGcmParameters, iv, ivBits: iv.length * 8, aad, tagBits: TAG_BITS },
  };
}

export function hasSecret(session: TokenSession, label: string | undefined): TokenOutcome {
  return findSecret(session, label) ? DONE : MISSING;
}

export function deleteSecret(session: TokenSession, label: string): TokenOutcome {
  destroyAll(session, findAll(session, 'secretKey', label));
  return DONE;
}

/** HMAC-SHA256, 32 bytes. */
export async function hmac(session: TokenSession, label: string | undefined, data: Buffer): Promise<TokenOutcome> {
  const key = findSecret(session, label);
  if (!key) return MISSING;
  const { cryptoki, handle } = session;
  cryptoki.C_SignInit(handle, { mechanism: CK.mechanism.sha256Hmac }, key);
  const bytes = await session.run({
    room: MAC_BYTES,
    atOnce: (out) => cryptoki.C_Sign(handle, data, out),
    onThread: (out) => cryptoki.C_SignAsync(handle, data, out),
  });
  return { outcome: 'done', bytes };
}

async function encrypt(session: TokenSession, key: Handle, iv: Buffer, aad: Buffer, data: Buffer): Promise<Buffer> {
  const { cryptoki, handle } = session;
  cryptoki.C_EncryptInit(handle, gcm(iv, aad), key);
  return session.run({
    room: data.length + 2 * TAG_BYTES,
    atOnce: (out) => cryptoki.C_Encrypt(handle, data, out),
    onThread: (out) => cryptoki.C_EncryptAsync(handle, data, out),
  });
}

/** AES-GCM: ciphertext and tag of 16 bytes. */
export async function seal(
  session: TokenSession,
  task: { readonly label: string | undefined; readonly iv: Buffer; readonly aad: Buffer; readonly data: Buffer },
): Promise<TokenOutcome> {
  const key = findSecret(session, task.label);
  return key ? { outcome: 'done', bytes: await encrypt(session, key, task.iv, task.aad, task.data) } : MISSING;
}

/** The reverse of {@link seal}; `unfit` where the ciphertext is not authentic. */
export async function openSealed(
  session: TokenSession,
  task: { readonly label: string | undefined; readonly iv: Buffer; readonly aad: Buffer; readonly data: Buffer },
): Promise<TokenOutcome> {
  const key = findSecret(session, task.label);
  if (!key) return MISSING;
  const { cryptoki, handle } = session;
  cryptoki.C_DecryptInit(handle, gcm(task.iv, task.aad), key);
  try {
    const bytes = await session.run({
      room: task.data.length + TAG_BYTES,
      atOnce: (out) => cryptoki.C_Decrypt(handle, task.data, out),
      onThread: (out) => cryptoki.C_DecryptAsync(handle, task.data, out),
    });
    return { outcome: 'done', bytes };
  } catch (error) {
    if (!isNotAuthentic(error)) throw error;
    return { outcome: 'unfit', reason: `the token did not decrypt the ciphertext: ${textOf(error)}` };
  }
}

async function generate(session: TokenSession, label: string, use: 'hmac' | 'aes'): Promise<Handle> {
  const { cryptoki, handle } = session;
  if (use === 'hmac') {
    const mechanism = { mechanism: CK.mechanism.genericSecretGen };
    return cryptoki.C_GenerateKeyAsync(handle, mechanism, newSecret(label, use));
  }
  const mechanism = { mechanism: CK.mechanism.aesGen };
  try {
    return await cryptoki.C_GenerateKeyAsync(handle, mechanism, newSecret(label, use));
  } catch {
    return cryptoki.C_GenerateKeyAsync(handle, mechanism, newSecret(label, use, SHORT_AES_BYTES));
  }
}

/**
 * Makes a secret key unless one of this label is there, or imports one (`bytes`) in place of it. `unsupported` where the token lacks the
 * means, refuses the import, or cannot do AES-GCM with the new key (spec/keys-service.md 8.4); what was there before is then still there.
 */
export async function makeSecret(
  session: TokenSession,
  task: { readonly label: string; readonly use: 'hmac' | 'aes'; readonly bytes?: Buffer },
): Promise<TokenOutcome> {
  const { label, use, bytes } = task;
  const older = findAll(session, 'secretKey', label);
  if (!bytes && older.length > 0) return DONE;
  let made: Handle;
  try {
    made = bytes
      ? session.cryptoki.C_CreateObject(session.handle, importedSecret(label, use, bytes))
      : await generate(session, label, use);
  } catch (error) {
    if (isSessionLost(error) || !(bytes || isUnsupported(error))) throw error;
    return { outcome: 'unsupported', reason: `the token did not take the key: ${textOf(error)}` };
  }
  if (use === 'aes') {
    try {
      await encrypt(session, made, TRIAL_IV, Buffer.alloc(0), Buffer.alloc(1));
    } catch (error) {
      if (isSessionLost(error)) throw error;
      destroyAll(session, [made]);
      return { outcome: 'unsupported', reason: `the token cannot do AES-GCM: ${textOf(error)}` };
    }
  }
  destroyAll(session, older);
  return DONE;
}
