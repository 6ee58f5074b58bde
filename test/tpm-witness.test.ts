import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Swtpm, swtpmIsMissing } from '../conformance/tpm/index.ts';
import { wrapKeyForTpm } from '../simulators/dps/index.ts';
import { hmac } from './support/tpmd.ts';

const missing = swtpmIsMissing();
/** How tpm2_activatecredential knows a credential: magic number, version. */
const CREDENTIAL_HEADER = Buffer.from('badcc0de00000001', 'hex');
const EK = '0x81010001';

/** The five structures of a blob, each with its size. */
function partsOf(blob: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < blob.length; ) {
    const end = at + 2 + blob.readUInt16BE(at);
    found.push(blob.subarray(at, end));
    at = end;
  }
  return found;
}

describe.skipIf(missing)(`tpm2-tools and the DPS simulator's blob (${missing ?? 'on swtpm, without tpmd'})`, () => {
  let swtpm: Swtpm;
  beforeAll(async () => {
    swtpm = await Swtpm.start();
    await swtpm.tool('tpm2_createek', '-c', EK, '-G', 'rsa', '-u', 'ek.pub');
    await swtpm.tool('tpm2_createprimary', '-C', 'o', '-G', 'rsa2048', '-c', 'srk.ctx');
    await swtpm.tool('tpm2_readpublic', '-c', 'srk.ctx', '-f', 'tss', '-o', 'srk.pub');
    await swtpm.tool('tpm2_flushcontext', '-t');
  });
  afterAll(() => swtpm?.dispose());

  const file = (name: string) => join(swtpm.folder, name);

  /** Lets the EK open the first two structures; gives what is in them. */
  async function activate(credential: Buffer): Promise<Buffer> {
    await writeFile(file('credential'), Buffer.concat([CREDENTIAL_HEADER, credential]));
    await swtpm.tool('tpm2_startauthsession', '--policy-session', '-S', 'session');
    try {
      await swtpm.tool('tpm2_policysecret', '-S', 'session', '-c', 'e');
      const auth = ['-P', 'session:session'];
      await swtpm.tool(
        'tpm2_activatecredential',
        '-c',
        'srk.ctx',
        '-C',
        EK,
        '-i',
        'credential',
        '-o',
        'inner',
        ...auth,
      );
    } finally {
      await swtpm.tool('tpm2_flushcontext', 'session');
    }
    return readFile(file('inner'));
  }

  async function wrapped(key: Buffer): Promise<Buffer[]> {
    const [endorsementKey, storageRootKey] = [await readFile(file('ek.pub')), await readFile(file('srk.pub'))];
    return partsOf(wrapKeyForTpm({ endorsementKey, storageRootKey }, key));
  }

  it('they activate its credential, import and load its key, and sign with it', async () => {
    const key = randomBytes(32);
    const [credential, credentialSecret, duplicate, secret, area] = await wrapped(key);
    if (!credential || !credentialSecret || !duplicate || !secret || !area) throw new Error('fewer than five parts');
    expect(await activate(Buffer.concat([credential, credentialSecret]))).toHaveLength(16);
    await writeFile(file('duplicate'), duplicate);
    await writeFile(file('secret'), secret);
    await writeFile(file('area'), area);
    const into = ['-C', 'srk.ctx', '-u', 'area', '-r', 'private'];
    await swtpm.tool('tpm2_import', ...into, '-i', 'duplicate', '-k', 'inner', '-s', 'secret');
    await swtpm.tool('tpm2_flushcontext', '-t');
    await swtpm.tool('tpm2_load', ...into, '-c', 'key.ctx');
    await swtpm.tool('tpm2_flushcontext', '-t');
    const data = Buffer.from('hello');
    await writeFile(file('data'), data);
    await swtpm.tool('tpm2_hmac', '-c', 'key.ctx', '-g', 'sha256', '-o', 'digest', 'data');
    expect((await readFile(file('digest'))).toString('base64')).toBe(hmac(key, data));
  });

  it('they refuse its credential with a bit turned', async () => {
    const [credential, credentialSecret] = await wrapped(randomBytes(32));
    const flawed = Buffer.concat([credential ?? Buffer.alloc(0), credentialSecret ?? Buffer.alloc(0)]);
    flawed[10] = (flawed[10] ?? 0) ^ 1;
    await expect(activate(flawed)).rejects.toThrow(/integrity check failed/);
  });
});
