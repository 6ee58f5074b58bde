import assert from 'node:assert/strict';
import { group } from '../runner/index.ts';
import { HELLO, KEY, SECOND_KEY, SLOT, TpmWorld } from './world.ts';
import { type TpmKeys, wrapKey, wrapParts, wrapWithFlaw } from './wrapped-key.ts';

const first = { key: KEY };
const second = { key: SECOND_KEY };

/** A tpmd that has a key. */
async function withKey(context: Parameters<typeof TpmWorld.withKey>[0]): Promise<{ tpm: TpmWorld; keys: TpmKeys }> {
  const tpm = await TpmWorld.withKey(context, first);
  return { tpm, keys: await tpm.keys() };
}

/** The import of the auth key. */
export const importing = group('tpmd: import', {
  'TPM-009': [
    'a wrong auth value of the endorsement hierarchy fails the import, and the present key stays',
    'spec',
    async (context) => {
      const { tpm, keys } = await withKey(context);
      await tpm.swtpm.tool('tpm2_changeauth', '-c', 'e', 'end');
      await tpm.restart();
      await tpm.mustRefuse(wrapKey(keys, second));
      await tpm.signsWith(KEY);
      await tpm.restart('[hierarchy_authorization]\nendorsement = "end"\n');
      await tpm.mustImport(wrapKey(keys, second));
      await tpm.signsWith(SECOND_KEY);
    },
  ],
  'TPM-014': [
    'a wrapped key is taken and is persistent',
    'reference-run',
    async (context) => {
      const { tpm } = await withKey(context);
      assert.ok(await tpm.isPersistent(SLOT));
      await tpm.nothingLoaded();
    },
  ],
  'TPM-016': [
    'the key is found again after a restart',
    'reference-run',
    async (context) => {
      const { tpm } = await withKey(context);
      await tpm.restart();
      await tpm.signsWith(KEY);
    },
  ],
  'TPM-017': [
    'signatures follow a second key',
    'reference-run',
    async (context) => {
      const { tpm, keys } = await withKey(context);
      await tpm.mustImport(wrapKey(keys, second));
      await tpm.signsWith(SECOND_KEY);
    },
  ],
  'TPM-018': [
    'a key that somebody else removed is no hindrance, and one warning',
    'reference-run',
    async (context) => {
      const { tpm, keys } = await withKey(context);
      await tpm.swtpm.tool('tpm2_evictcontrol', '-C', 'o', '-c', '0x81000100');
      await tpm.mustImport(wrapKey(keys, second));
      await tpm.logged(/\[WARN\]/);
      assert.equal(tpm.log.split('[WARN]').length - 1, 1, tpm.log);
      await tpm.signsWith(SECOND_KEY);
    },
  ],
  'TPM-019': [
    'bytes after the five structures do not count',
    'reference-run',
    async (context) => {
      const { tpm, keys } = await withKey(context);
      await tpm.mustImport(Buffer.concat([wrapKey(keys, second), Buffer.from('0004deadbeef', 'hex')]));
      await tpm.signsWith(SECOND_KEY);
    },
  ],
  'TPM-020': [
    'an empty blob is refused, and the present key stays',
    'spec',
    async (context) => {
      const { tpm } = await withKey(context);
      await tpm.mustRefuse(Buffer.alloc(0));
      await tpm.signsWith(KEY);
    },
  ],
  'TPM-021': [
    'a blob that ends early is refused, and the present key stays',
    'spec',
    async (context) => {
      const { tpm, keys } = await withKey(context);
      const parts = wrapParts(keys, second);
      const whole = Buffer.concat(parts);
      const ends = parts.map((_, at) => Buffer.concat(parts.slice(0, at + 1)).length);
      for (const end of ends) await tpm.mustRefuse(whole.subarray(0, end - 7));
      for (const end of ends.slice(0, -1)) await tpm.mustRefuse(whole.subarray(0, end));
      await tpm.signsWith(KEY);
    },
  ],
  'TPM-022': [
    'a bit turned in any structure is refused, nothing stays loaded, the present key stays',
    'spec',
    async (context) => {
      const { tpm, keys } = await withKey(context);
      for (const part of [0, 1, 2, 3, 4] as const) await tpm.mustRefuse(wrapWithFlaw(keys, second, part));
      await tpm.signsWith(KEY);
    },
  ],
  'TPM-023': [
    "a blob for another TPM's EK or SRK is refused",
    'reference-run',
    async (context) => {
      const { tpm, keys } = await withKey(context);
      const other = await (await TpmWorld.fresh(context)).keys();
      await tpm.mustRefuse(wrapKey({ ...keys, endorsementKey: other.endorsementKey }, second));
      await tpm.mustRefuse(wrapKey({ ...keys, storageRootKey: other.storageRootKey }, second));
      await tpm.signsWith(KEY);
    },
  ],
  'TPM-024': [
    'a key that is fixed to a TPM or parent, or does not sign, is refused; nothing stays loaded',
    'reference-run',
    async (context) => {
      const { tpm, keys } = await withKey(context);
      for (const attributes of [0x40442, 0x40450, 0x00440, 0x60440])
        await tpm.mustRefuse(wrapKey(keys, { ...second, attributes }));
      await tpm.mustRefuse(wrapKey(keys, { ...second, scheme: '0010' }));
      await tpm.signsWith(KEY);
    },
  ],
  'TPM-025': [
    'the fifty-first import after fifty that failed is taken',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      const keys = await tpm.keys();
      for (let number = 0; number < 50; number += 1)
        assert.equal(
          ((await tpm.import(wrapWithFlaw(keys, first, ((number % 4) + 1) as 1))) as { status: number }).status,
          500,
        );
      await tpm.mustImport(wrapKey(keys, first));
      await tpm.nothingLoaded();
      await tpm.signsWith(KEY);
    },
  ],
  'TPM-033': [
    'a key that could not sign afterwards (SHA-1, restricted, with an auth value) is refused, and the present key stays',
    'spec',
    async (context) => {
      const { tpm, keys } = await withKey(context);
      await tpm.mustRefuse(wrapKey(keys, { ...second, scheme: '00050004' }));
      await tpm.mustRefuse(wrapKey(keys, { ...second, attributes: 0x50440 }));
      await tpm.mustRefuse(wrapKey(keys, { ...second, authValue: Buffer.from('secret') }));
      await tpm.signsWith(KEY);
    },
  ],
  'TPM-034': [
    'a foreign object in the place of the auth key is kept, and named in the log',
    'spec',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      const keys = await tpm.keys();
      await tpm.swtpm.tool('tpm2_createprimary', '-C', 'o', '-G', 'rsa2048', '-c', 'foreign.ctx');
      await tpm.swtpm.tool('tpm2_evictcontrol', '-C', 'o', '-c', 'foreign.ctx', '0x81000100');
      await tpm.swtpm.tool('tpm2_flushcontext', '-t');
      await tpm.mustRefuse(wrapKey(keys, first));
      await tpm.logged(/\[ERR!\].*0x81000100.*kept/);
      assert.match(await tpm.swtpm.tool('tpm2_readpublic', '-c', '0x81000100'), /rsa/);
    },
  ],
  'TPM-014/sizes': [
    'keys of 0 to 64 bytes are taken, with or without protection from guessing',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      const keys = await tpm.keys();
      for (const size of [16, 32, 64]) {
        const key = Buffer.alloc(size, size);
        for (const attributes of [0x40440, 0x40040]) {
          await tpm.mustImport(wrapKey(keys, { key, attributes }));
          await tpm.signsWith(key, HELLO);
        }
      }
      await tpm.mustImport(wrapKey(keys, { key: Buffer.alloc(0) }));
      await tpm.mustRefuse(wrapKey(keys, { key: Buffer.alloc(65) }));
    },
  ],
});
