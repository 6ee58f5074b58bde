import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type RandomPurpose, wrapKeyForTpm } from './wrapped-key.ts';

interface Vector {
  readonly endorsement_key: string;
  readonly storage_root_key: string;
  readonly hmacKey: string;
  readonly random: Readonly<Record<RandomPurpose, string>>;
  readonly parts: readonly string[];
  readonly blob: string;
}

const golden = new URL('../../../fixtures/golden/tpm.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(golden, 'utf8')) as { vectors: Record<'software' | 'swtpm', Vector> };

const targetOf = (vector: Vector) => ({
  endorsementKey: Buffer.from(vector.endorsement_key, 'base64'),
  storageRootKey: Buffer.from(vector.storage_root_key, 'base64'),
});

describe('a key wrapped for a TPM', () => {
  it.each(['software', 'swtpm'] as const)('is the blob of the vector %s, byte for byte', (name) => {
    const vector = vectors[name];
    const random = (_size: number, purpose: RandomPurpose) => Buffer.from(vector.random[purpose], 'hex');
    const blob = wrapKeyForTpm(targetOf(vector), Buffer.from(vector.hmacKey, 'hex'), random);
    expect(blob.toString('hex')).toBe(vector.parts.join(''));
    expect(blob.toString('base64')).toBe(vector.blob);
  });

  it('differs each time', () => {
    const target = targetOf(vectors.software);
    expect(wrapKeyForTpm(target, Buffer.alloc(32))).not.toEqual(wrapKeyForTpm(target, Buffer.alloc(32)));
  });

  it('is refused for a key that is no RSA-2048 storage key', () => {
    const target = targetOf(vectors.software);
    const flip = (at: number) => {
      const bytes = Buffer.from(target.endorsementKey);
      bytes[at] = (bytes[at] ?? 0) ^ 0x20;
      return bytes;
    };
    for (const endorsementKey of [
      Buffer.alloc(0),
      target.endorsementKey.subarray(0, 300),
      flip(1),
      flip(2),
      flip(44),
      flip(50),
    ])
      expect(() => wrapKeyForTpm({ ...target, endorsementKey }, Buffer.alloc(32))).toThrow(
        /the endorsement key is not/,
      );
    expect(() => wrapKeyForTpm({ ...target, storageRootKey: Buffer.from('ab') }, Buffer.alloc(32))).toThrow(
      /storage root/,
    );
  });
});
