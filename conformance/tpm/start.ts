import assert from 'node:assert/strict';
import { group } from '../runner/index.ts';
import { SLOT, TpmWorld } from './world.ts';

const EK = 0x8101_0001;
const SRK = 0x8100_0001;
const EK_START = '013a0001000b000300b20020837197674484b3f8';
const SRK_START = '011a0001000b000304720000';

/** What changed something in the TPM. */
const withoutLooking = (trace: readonly string[]): string[] =>
  trace.filter((command) => !command.startsWith('ReadPublic'));

/** EK and SRK, the start, the configuration. */
export const start = group('tpmd: start, EK and SRK', {
  'TPM-001': [
    'a fresh TPM gets EK and SRK; 316 and 284 bytes are handed out',
    'reference-run',
    async (context) => {
      const { endorsementKey, storageRootKey } = await (await TpmWorld.fresh(context)).keys();
      assert.deepEqual([endorsementKey.length, storageRootKey.length], [316, 284]);
    },
  ],
  'TPM-002': [
    'EK and SRK follow the templates',
    'reference-run',
    async (context) => {
      const { endorsementKey, storageRootKey } = await (await TpmWorld.fresh(context)).keys();
      assert.ok(endorsementKey.toString('hex').startsWith(EK_START));
      assert.ok(storageRootKey.toString('hex').startsWith(SRK_START));
    },
  ],
  'TPM-003': [
    'the keys stay the same, over a restart too',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      const first = await tpm.keys();
      assert.deepEqual(await tpm.keys(), first);
      await tpm.restart();
      assert.deepEqual(await tpm.keys(), first);
    },
  ],
  'TPM-004': [
    'EK and SRK are persistent after the start, nothing is loaded',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      assert.ok((await tpm.isPersistent(EK)) && (await tpm.isPersistent(SRK)));
      await tpm.nothingLoaded();
      assert.deepEqual(withoutLooking(tpm.proxy.takeTrace()), [
        ...['CreatePrimary', 'EvictControl', 'FlushContext'],
        ...['CreatePrimary', 'EvictControl', 'FlushContext'],
      ]);
    },
  ],
  'TPM-005': [
    'keys made by tpm2-tools are used, not replaced',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.unstarted(context);
      await tpm.swtpm.tool('tpm2_createek', '-c', '0x81010001', '-G', 'rsa', '-u', 'ek.pub');
      await tpm.swtpm.tool('tpm2_createprimary', '-C', 'o', '-G', 'rsa2048', '-c', 'srk.ctx');
      await tpm.swtpm.tool('tpm2_evictcontrol', '-C', 'o', '-c', 'srk.ctx', '0x81000001');
      await tpm.swtpm.tool('tpm2_flushcontext', '-t');
      await tpm.start();
      assert.deepEqual(withoutLooking(tpm.proxy.takeTrace()), []);
      await tpm.keys();
    },
  ],
  'TPM-005/ecc': [
    'a foreign object at a handle of EK or SRK is not handed out, is named in the log, and kept',
    'spec',
    async (context) => {
      const tpm = await TpmWorld.unstarted(context);
      await tpm.swtpm.tool('tpm2_createek', '-c', '0x81010001', '-G', 'ecc', '-u', 'ek.pub');
      await tpm.start();
      assert.equal(((await tpm.ask('GET', '/get_tpm_keys')) as { status: number }).status, 500);
      await tpm.logged(/\[ERR!\].*0x81010001/);
      assert.ok(await tpm.isPersistent(EK));
    },
  ],
  'TPM-006': [
    'without a TPM it ends with 1 before the socket is there',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.unstarted(context);
      assert.match(await tpm.endsAtStart('tcti = "swtpm:path=/nonexistent"\n'), /could not initialize TPM/);
    },
  ],
  'TPM-007': [
    'an unknown TCTI ends it with 1',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.unstarted(context);
      for (const tcti of ['nosuch', 'swtpm:nonsense', 'device:/dev/nosuch'])
        assert.match(await tpm.endsAtStart(`tcti = "${tcti}"\n`), /could not initialize TPM/);
    },
  ],
  'TPM-008': [
    'the auth value of the owner counts where something has to be made',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.unstarted(context);
      await tpm.swtpm.tool('tpm2_changeauth', '-c', 'o', 'own');
      const auth = (value: string) => `[hierarchy_authorization]\nowner = "${value}"\n`;
      assert.match(await tpm.endsAtStart(`${tpm.tcti}${auth('bad')}`), /could not initialize TPM/);
      await tpm.nothingLoaded();
      await tpm.start(auth('own'));
      await tpm.keys();
    },
  ],
  'TPM-010': [
    'auth_key_index goes from 0 to 0x7FFFFF',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.unstarted(context);
      assert.match(await tpm.endsAtStart(`${tpm.tcti}auth_key_index = 0x800000\n`), /0x7F_FF_FF/);
      assert.match(await tpm.endsAtStart(`${tpm.tcti}auth_key_index = -1\n`), /auth_key_index/);
      for (const index of ['0x7FFFFF', '0']) {
        await tpm.start(`auth_key_index = ${index}\n`);
        await tpm.world.stop('tpmd');
      }
    },
  ],
  'TPM-011': [
    'auth_key_index is an integer, not a text',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.unstarted(context);
      for (const value of ['"0x000100"', '1.5'])
        assert.match(await tpm.endsAtStart(`${tpm.tcti}auth_key_index = ${value}\n`), /auth_key_index/);
    },
  ],
  'TPM-012': [
    'tcti is a text, or its bytes',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.unstarted(context);
      const tctis = [`swtpm:port=${tpm.proxy.port}`, `libtss2-tcti-swtpm.so.0:port=${tpm.proxy.port}`];
      const bytes = [...Buffer.from(tctis[0] ?? '')].join(', ');
      for (const value of [...tctis.map((tcti) => `"${tcti}"`), `[${bytes}]`]) {
        await tpm.world.configure('tpmd', { main: `tcti = ${value}\n` });
        await tpm.world.restart('tpmd');
        await tpm.keys();
      }
    },
  ],
  'TPM-013': [
    'a NUL in tcti or an auth value is an error',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.unstarted(context);
      for (const main of ['tcti = "swtpm\\u0000:port=1"\n', 'tcti = [115, 0, 119]\n'])
        assert.match(await tpm.endsAtStart(main), /NUL|nul/);
      const long = 'x'.repeat(64);
      assert.match(await tpm.endsAtStart(`${tpm.tcti}[hierarchy_authorization]\nowner = "${long}"\n`), /\[ERR!\]/);
    },
  ],
  'TPM-037': [
    'a change of the configuration waits for a restart',
    'reference-run',
    async (context) => {
      const tpm = await TpmWorld.fresh(context);
      await tpm.world.configure('tpmd', { main: 'tcti = "nosuch"\nauth_key_index = 5\n' });
      await tpm.keys();
      assert.equal(await tpm.isPersistent(SLOT), false);
    },
  ],
});
