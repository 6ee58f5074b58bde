import assert from 'node:assert/strict';
import type { Replay } from '../runner/index.ts';
import { type RecordedCommand, recording } from './recorded.ts';
import { ReplayedTpm } from './replayed-tpm.ts';
import { unwrapKey } from './unwrap-key.ts';
import { HELLO, hmac, KEY, SLOT } from './world.ts';

const HANDLE_AT = 10;
const { software, swtpm: onSwtpm } = recording.vectors;
const base64 = (text: string) => Buffer.from(text, 'base64');

/** Bytes from one place to before another; negative places count from the end. */
type Range = readonly [from: number, to: number];

/** The same bytes with some ranges blanked: what differs from TPM to TPM, or is random. */
function blanked(hex: string, ...ranges: readonly Range[]): string {
  const bytes = Buffer.from(hex, 'hex');
  for (const [from, to] of ranges) bytes.subarray(from, to).fill(0);
  return bytes.toString('hex');
}

/** The commands of a name that tpmd sent, hex. */
function sent({ tpm }: ReplayedTpm, name: string): string[] {
  return tpm.proxy.passed.filter((passed) => passed.name === name).map(({ request }) => request.toString('hex'));
}

const recorded = (list: readonly RecordedCommand[], name: string): string[] =>
  list.filter(({ command }) => command === name).map(({ request }) => request);

/** A fresh TPM: every byte of the commands of the first start. */
async function startWire(replay: Replay): Promise<void> {
  const replayed = ReplayedTpm.of(replay);
  await replayed.exchange();
  await replayed.tpm.start();
  const commands = replayed.tpm.proxy.passed.map(({ request }) => request.toString('hex'));
  const wanted = recording.start_wire.map(({ request }) => request);
  assert.deepEqual(
    commands.filter((command) => wanted.includes(command)),
    wanted,
  );
}

/** A vector's blob on its TPM: what is random or wrapped for a TPM apart, the commands are those of the recording. */
async function importWire(replay: Replay): Promise<void> {
  const replayed = await onTheVectorsTpm(replay);
  replayed.tpm.proxy.takeTrace();
  await replayed.tpm.ask('POST', '/import_auth_key', { key: onSwtpm.blob });
  const compare = (name: string, ...ranges: readonly Range[]) => {
    const [own] = sent(replayed, name);
    const [theirs] = recorded(recording.import_wire, name);
    assert.equal(blanked(own ?? '', ...ranges), blanked(theirs ?? '', ...ranges), name);
  };
  compare('StartAuthSession', [20, 52]);
  compare('PolicySecret');
  // the seed is encrypted to another SRK
  compare('Import', [-262, -6]);
  const [load] = sent(replayed, 'Load');
  assert.equal(load?.length, recorded(recording.import_wire, 'Load')[0]?.length);
  // its parameters are the first two parts; the session is neither salted nor bound, so its nonce and HMAC may be empty
  const [activate = ''] = sent(replayed, 'ActivateCredential');
  const [first = '', second = ''] = onSwtpm.parts;
  assert.ok(activate.endsWith(first + second), 'parameters of ActivateCredential');
  assert.equal(activate.slice(0, 4) + activate.slice(12, 36), '8002' + '00000147' + '81000001' + '81010001');
  const persists = sent(replayed, 'EvictControl').map((command) => blanked(command, [14, 18]));
  assert.ok(persists.includes(blanked(recorded(recording.import_wire, 'EvictControl')[0] ?? '', [14, 18])));
  assert.equal(sent(replayed, 'FlushContext').length, recorded(recording.import_wire, 'FlushContext').length);
}

async function signWire(replay: Replay): Promise<void> {
  const replayed = ReplayedTpm.of(replay);
  replayed.tpm.proxy.takeTrace();
  await replayed.tpm.signsWith(KEY);
  await replayed.tpm.signsWith(KEY, Buffer.alloc(1025, 0x61));
  for (const { command, request } of recording.sign_wire) {
    const handle: Range = /^Sequence/.test(command) ? [HANDLE_AT, HANDLE_AT + 4] : [0, 0];
    assert.equal(blanked(sent(replayed, command)[0] ?? '', handle), blanked(request, handle), command);
  }
}

async function onTheVectorsTpm(replay: Replay): Promise<ReplayedTpm> {
  const replayed = ReplayedTpm.of(replay);
  await replayed.exchange(base64(onSwtpm.swtpmState));
  await replayed.tpm.start();
  return replayed;
}

export const wireSteps = { 'wire/start': startWire, 'wire/import': importWire, 'wire/sign': signWire };

/** The blob of the software vector, opened by the private keys that are given with it. */
export async function softwareVector(): Promise<void> {
  const opened = unwrapKey(base64(software.blob), { ...software, srkName: Buffer.from(software.srkName, 'hex') });
  assert.equal(opened.key.toString('hex'), software.hmacKey);
  assert.equal(opened.seedValue.toString('hex'), software.random['seedValue']);
  assert.equal(opened.innerKey.toString('hex'), software.random['innerKey']);
  assert.equal(opened.name.toString('hex'), software.authKeyName);
}

/** The other blob, byte for byte, on the TPM that it was made for. */
export async function swtpmVector(replay: Replay): Promise<void> {
  const { tpm, swtpm } = await onTheVectorsTpm(replay);
  assert.deepEqual(await tpm.keys(), {
    endorsementKey: base64(onSwtpm.endorsement_key),
    storageRootKey: base64(onSwtpm.storage_root_key),
  });
  await tpm.mustImport(base64(onSwtpm.blob));
  await tpm.signsWith(Buffer.from(onSwtpm.hmacKey, 'hex'));
  assert.equal(hmac(Buffer.from(onSwtpm.hmacKey, 'hex'), HELLO), onSwtpm.signHello);
  const { length: count } = onSwtpm.parts;
  assert.equal(count, recording.part_lengths.length);
  assert.deepEqual(
    onSwtpm.parts.map((part) => part.length / 2),
    recording.part_lengths,
  );
  assert.match(await swtpm.tool('tpm2_readpublic', '-c', `0x${SLOT.toString(16)}`), new RegExp(onSwtpm.authKeyName));
}
