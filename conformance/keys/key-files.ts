import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import type { World } from '../runner/index.ts';

/** Name of the file of a key (keys-service.md 6.1). */
export function fileName(keyId: string): string {
  const readable = keyId.replace(/[^A-Za-z0-9]/g, '');
  return `${readable}-${createHash('sha256').update(keyId, 'utf8').digest('hex')}.key`;
}

/** Path of the file of a key in the store's folder. */
export function keyFile(world: World, keyId: string): string {
  return world.path('keyd', 'home', 'keys', fileName(keyId));
}

/** Signs any text as keyd signs a handle, with the key that the store holds for it (keys-service.md 5). */
export async function mintHandle(world: World, text: string): Promise<string> {
  const key = await readFile(keyFile(world, 'handle-validation-key'));
  const signature = createHmac('sha256', key).update(text, 'utf8').digest('base64');
  return `sr=${Buffer.from(text, 'utf8').toString('base64')}&sig=${signature}`;
}

/** The text that a handle signs. */
export function handleText(keyId: unknown): string {
  return JSON.stringify({ key_id: keyId, nonce: randomBytes(64).toString('base64') });
}

/** Makes every handle that was given invalid. */
export async function loseHandleValidationKey(world: World): Promise<void> {
  await rm(keyFile(world, 'handle-validation-key'));
}
