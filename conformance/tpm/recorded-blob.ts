import { recording } from './recorded.ts';
import { KEY, SECOND_KEY } from './world.ts';
import { type KeyToWrap, type TpmKeys, wrapKey, wrapWithFlaw } from './wrapped-key.ts';

const SIZES_OF_KEYS: Readonly<Record<string, number>> = {
  'import-64-byte-key': 64,
  'import-65-byte-key': 65,
  'import-16-byte-key': 16,
  'import-empty-key': 0,
};
/** The imports after which the recorded signatures are those of the second key. */
const WITH_SECOND_KEY = new Set(['import-second', 'import-tools']);
/** Where the attributes and the scheme are in a TPM2B_PUBLIC of an auth key. */
const ATTRIBUTES_AT = 6;
const SCHEME_AT = 12;
const NULL_SCHEME = '0010';

function partsOf(blob: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; found.length < 5 && at + 2 <= blob.length; ) {
    const size = 2 + blob.readUInt16BE(at);
    found.push(blob.subarray(at, at + size));
    at += size;
  }
  return found;
}

/** What was wrapped in a recorded blob: its attributes and scheme are to be read in it, the key itself is known from the signatures. */
function wishOf(id: string, blob: Buffer): KeyToWrap {
  const area = partsOf(blob)[4] ?? Buffer.alloc(0);
  const scheme = area.subarray(SCHEME_AT, SCHEME_AT + 2).toString('hex');
  const size = SIZES_OF_KEYS[id];
  return {
    key:
      size === undefined
        ? WITH_SECOND_KEY.has(id)
          ? SECOND_KEY
          : KEY
        : Buffer.from(Array.from({ length: size }, (_, at) => at)),
    attributes: area.readUInt32BE(ATTRIBUTES_AT),
    scheme: scheme === NULL_SCHEME ? scheme : area.subarray(SCHEME_AT, SCHEME_AT + 4).toString('hex'),
    ...(id === 'import-with-auth-value' ? { authValue: Buffer.from('secret') } : {}),
  };
}

/**
 * A recorded blob made anew for this run's TPM: a blob is of use to the TPM alone that it was made for. It has the same shape, and the
 * same fault where the recorded one has one.
 */
export function blobLike(id: string, recorded: Buffer, keys: TpmKeys): Buffer {
  const good = { key: KEY };
  const { software } = recording.vectors;
  const flipped = /^import-flipped-(\d)$/.exec(id)?.[1];
  if (flipped) return wrapWithFlaw(keys, good, (Number(flipped) - 1) as 0 | 1 | 2 | 3 | 4);
  if (id.startsWith('import-truncated-')) return wrapKey(keys, good).subarray(0, recorded.length);
  if (recorded.length < 100) return recorded;
  if (id === 'import-leading-junk') return Buffer.concat([recorded.subarray(0, 2), wrapKey(keys, good)]);
  if (id === 'import-other-ek')
    return wrapKey({ ...keys, endorsementKey: Buffer.from(software.endorsement_key, 'base64') }, good);
  if (id === 'import-other-srk')
    return wrapKey({ ...keys, storageRootKey: Buffer.from(software.storage_root_key, 'base64') }, good);
  const whole = partsOf(recorded).reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([wrapKey(keys, wishOf(id, recorded)), recorded.subarray(whole)]);
}
