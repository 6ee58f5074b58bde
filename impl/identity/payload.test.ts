import { describe, expect, it } from 'vitest';
import { loadPayload, parsePayload } from './payload.ts';

describe('custom payload', () => {
  it('sorts members at every depth and keeps numbers as they are written', () => {
    const text = '{"z":1.0,"a":{"y":[{"d":null,"c":"é"}],"x":12345678901234567890}}';
    expect(JSON.stringify(parsePayload(text))).toBe(
      '{"a":{"x":12345678901234567890,"y":[{"c":"é","d":null}]},"z":1.0}',
    );
  });

  it('IS-060: only readable JSON files count', async () => {
    const failure = (uri: string) => loadPayload(uri).catch((error: Error) => error.message);
    const head = 'parameter "provisioning.payload" has an invalid value\ncaused by: ';
    expect(await failure('https://x.test/p.json')).toBe(`${head}payload uri is not a file`);
    expect(await failure('file:///nowhere/p.json')).toBe(`${head}No such file or directory (os error 2)`);
    expect(await failure('file:///dev/zero')).toBe(`${head}payload uri is not a regular file`);
    expect(await loadPayload(undefined)).toBeUndefined();
  });
});
