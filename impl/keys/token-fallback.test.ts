import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../process/index.ts';
import { Counters } from './counters.ts';
import { FileCache } from './file-cache.ts';
import { KeyLocks } from './key-locks.ts';
import { KeyPlaces } from './key-places.ts';
import { readSettings, type TokenFallback } from './settings.ts';
import { SymmetricKeys } from './symmetric-keys.ts';
import type { TokenHost } from './token/index.ts';

let folder: string;
let lines: string[];
let asked: string[];
let counters: Counters;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fallback-'));
  lines = [];
  asked = [];
  counters = new Counters();
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Keys over a token that holds nothing and answers `outcome` to every attempt to make a secret key. */
function keysOver(
  outcome: 'unsupported' | 'failed',
  parameters: Record<string, string> = { homedir_path: folder },
  choice: TokenFallback = 'file',
) {
  const settings = readSettings({
    aziot_keys: { pkcs11_lib_path: '/module.so', pkcs11_base_slot: 'pkcs11:token=t', ...parameters },
  });
  const host = {
    async run(_: unknown, { task }: { readonly task: string }) {
      asked.push(task);
      if (task !== 'make-secret') return { outcome: 'missing' };
      if (outcome === 'failed') throw new Error('CKR_DEVICE_MEMORY');
      return { outcome, reason: 'CKR_MECHANISM_INVALID' };
    },
  } as unknown as TokenHost;
  const now = () => Date.now();
  const log = createLogger({ target: 't', filter: undefined, write: (line) => lines.push(line), now });
  return new SymmetricKeys(
    new KeyPlaces(settings, { cache: new FileCache(now), now, log, host }),
    new KeyLocks(),
    log,
    {
      choice,
      counters,
    },
  );
}

describe('a token that cannot hold symmetric keys', () => {
  it('KS-096: the key goes to a file, and the log says so', async () => {
    const keys = keysOver('unsupported');
    await keys.create('a', 'hmac');
    await keys.import('b', 'aes', Buffer.alloc(32, 1));
    expect(readdirSync(join(folder, 'keys'))).toHaveLength(2);
    expect(await keys.hmac('a', Buffer.from('x'))).toHaveLength(32);
    expect(lines.filter((line) => line.startsWith('<4>') && line.includes('cannot hold key'))).toHaveLength(2);
    expect(counters.of('token_fallbacks')).toBe(2);
  });

  it('the older key of the token goes only when the file is there', async () => {
    await keysOver('unsupported').import('a', 'aes', Buffer.alloc(32, 1));
    expect(asked).toEqual(['make-secret', 'delete-secret']);
  });

  it('fallback = "refuse": the request fails, no file is made, what the token holds is kept', async () => {
    const keys = keysOver('unsupported', { homedir_path: folder }, 'refuse');
    await expect(keys.create('a', 'hmac')).rejects.toThrow(
      'the token cannot hold key "a", and pkcs11.fallback is "refuse"',
    );
    await expect(keys.import('a', 'aes', Buffer.alloc(32))).rejects.toThrow('pkcs11.fallback is "refuse"');
    expect(readdirSync(folder)).toEqual([]);
    expect(asked).not.toContain('delete-secret');
    expect(counters.of('token_fallbacks_refused')).toBe(2);
  });

  it('a key that was found in the file is not looked for in the token before each use', async () => {
    const keys = keysOver('unsupported');
    await keys.create('a', 'hmac');
    await keys.hmac('a', Buffer.from('x'));
    asked.length = 0;
    await keys.hmac('a', Buffer.from('x'));
    expect(asked).toEqual([]);
    await keys.delete('a');
    await expect(keys.hmac('a', Buffer.from('x'))).rejects.toThrow('a parameter has an invalid value');
  });

  it('any other failure is no reason to use a file', async () => {
    await expect(keysOver('failed').create('a', 'hmac')).rejects.toThrow('CKR_DEVICE_MEMORY');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('without a home folder there is no other place', async () => {
    await expect(keysOver('unsupported', {}).create('a', 'hmac')).rejects.toThrow('no place could take key "a"');
  });

  it('a mixed use is refused before the token is asked to make anything', async () => {
    await expect(keysOver('unsupported').create('a', 'mixed')).rejects.toThrow('a parameter has an invalid value');
    expect(asked).not.toContain('make-secret');
  });
});
