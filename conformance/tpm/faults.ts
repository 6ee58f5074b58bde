import assert from 'node:assert/strict';
import { expectError, expectStatus, group } from '../runner/index.ts';
import { HELLO, hmac, KEY, SECOND_KEY, TpmWorld } from './world.ts';
import { wrapKey } from './wrapped-key.ts';

/** sign, userWithAuth; guesses at its auth value are counted by the TPM. */
const GUARDED = 0x0004_0040;

/** What others do to a TPM while tpmd runs. */
export const faults = group('tpmd: what happens to a TPM', {
  'TPM-036/cleared': [
    'a TPM that is cleared costs 500s and no more; a restart makes EK and SRK again, and a key is taken',
    'inferred',
    async (context) => {
      const tpm = await TpmWorld.withKey(context);
      const before = await tpm.keys();
      await tpm.swtpm.tool('tpm2_clear');
      expectError(await tpm.ask('GET', '/get_tpm_keys'), 500, 'internal error');
      expectError(await tpm.sign(HELLO), 500, 'internal error');
      await tpm.mustRefuse(wrapKey(before, { key: KEY }));
      assert.equal(tpm.world.running('tpmd').hasEnded, false);
      await tpm.restart();
      const after = await tpm.keys();
      assert.deepEqual(after.endorsementKey, before.endorsementKey);
      assert.notDeepEqual(after.storageRootKey, before.storageRootKey);
      await tpm.mustRefuse(wrapKey(before, { key: KEY }));
      await tpm.mustImport(wrapKey(after, { key: SECOND_KEY }));
      await tpm.signsWith(SECOND_KEY);
      await tpm.nothingLoaded();
    },
  ],
  'TPM-035/lockout': [
    'a TPM in lockout answers 500 at once, and the key signs again when it is over',
    'spec',
    async (context) => {
      const tpm = await TpmWorld.withKey(context, { key: KEY, attributes: GUARDED });
      await tpm.signsWith(KEY);
      const { swtpm } = tpm;
      await swtpm.tool('tpm2_dictionarylockout', '-s', '-n', '1', '-t', '1000', '-l', '1000');
      const guess = swtpm.tool('tpm2_hmac', '-c', '0x81000100', '-p', 'guess', '-g', 'sha256', 'tpm2-00.permall');
      await assert.rejects(guess, /authorization HMAC check failed/);
      tpm.proxy.takeTrace();
      expectError(await tpm.sign(HELLO), 500, 'internal error');
      expectError(await tpm.sign(Buffer.alloc(3000)), 500, 'internal error');
      assert.deepEqual(
        tpm.proxy.takeTrace().filter((command) => command.endsWith('0x921')),
        ['HMAC -> 0x921', 'HMAC_Start -> 0x921'],
      );
      await tpm.nothingLoaded();
      await swtpm.tool('tpm2_dictionarylockout', '-c');
      await tpm.signsWith(KEY);
    },
  ],
  'TPM-036/reboot': [
    'a TPM that restarts in the middle of an import or a signature costs that call; the key stays',
    'inferred',
    async (context) => {
      const tpm = await TpmWorld.withKey(context);
      const keys = await tpm.keys();
      for (const name of ['PolicySecret', 'Import', 'HMAC'] as const) {
        const held = Promise.withResolvers<void>();
        tpm.proxy.play(name, { kind: 'hold', until: held.promise });
        const importing = tpm.import(wrapKey(keys, { key: SECOND_KEY }));
        await tpm.proxy.reached(name);
        await tpm.swtpm.reboot();
        held.resolve();
        // Import needs nothing of what was lost: the SRK is persistent, and the new key is loaded after it
        const survives = name === 'Import';
        if (survives) expectStatus(await importing, 200);
        else expectError(await importing, 500);
        await tpm.signsWith(survives ? SECOND_KEY : KEY);
        await tpm.nothingLoaded();
        await tpm.mustImport(wrapKey(keys, { key: KEY }));
      }
      const held = Promise.withResolvers<void>();
      tpm.proxy.play('SequenceUpdate', { kind: 'hold', until: held.promise });
      const signing = tpm.sign(Buffer.alloc(3000));
      await tpm.proxy.reached('SequenceUpdate');
      await tpm.swtpm.reboot();
      held.resolve();
      expectError(await signing, 500);
      await tpm.nothingLoaded();
      assert.equal(expectStatus(await tpm.sign(Buffer.alloc(3000)), 200)['digest'], hmac(KEY, Buffer.alloc(3000)));
    },
  ],
});
