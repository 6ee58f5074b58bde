import { recording } from './recorded.ts';
import type { ReplayedTpm } from './replayed-tpm.ts';

const EK = '81010001';
const SRK = '81000001';
const SLOT = '81000100';

async function persist({ swtpm }: ReplayedTpm, handle: string): Promise<void> {
  await swtpm.tool('tpm2_createprimary', '-C', 'o', '-G', 'rsa2048', '-c', 'made.ctx');
  await swtpm.tool('tpm2_evictcontrol', '-C', 'o', '-c', 'made.ctx', `0x${handle}`);
  await swtpm.tool('tpm2_flushcontext', '-t');
}

/** What somebody did to the TPM before a recorded start; tpmd is stopped. */
export const beforeStarts: Readonly<Record<string, (replayed: ReplayedTpm) => Promise<void>>> = {
  async 'start/foreign-rsa-in-auth-slot'(replayed) {
    await replayed.evict(SLOT);
    await persist(replayed, SLOT);
  },
  async 'start/owner-auth-set-not-configured-keys-present'({ swtpm }) {
    await swtpm.tool('tpm2_changeauth', '-c', 'o', 'own');
  },
  'start/owner-auth-wrong-srk-missing': (replayed) => replayed.evict(SRK, 'own'),
  async 'start/endorsement-auth-not-configured'({ swtpm }) {
    await swtpm.tool('tpm2_changeauth', '-c', 'e', 'end');
  },
  async 'start/made-by-tpm2-tools'(replayed) {
    await replayed.exchange();
    await replayed.swtpm.tool('tpm2_createek', '-c', `0x${EK}`, '-G', 'rsa', '-u', 'ek.pub');
    await persist(replayed, SRK);
  },
  async 'start/ec-key-at-ek-handle'(replayed) {
    await replayed.evict(EK);
    await replayed.swtpm.tool('tpm2_createek', '-c', `0x${EK}`, '-G', 'ecc', '-u', 'ec.pub');
    await replayed.swtpm.tool('tpm2_flushcontext', '-t');
  },
  // the state was saved with both keys in it; the start made them
  async 'start/vector-state'(replayed) {
    await replayed.exchange(Buffer.from(recording.vectors.swtpm.swtpmState, 'base64'));
    await replayed.evict(EK);
    await replayed.evict(SRK);
  },
};
