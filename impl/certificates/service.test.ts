import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toUid } from '../ipc/index.ts';
import { type Clock, createCounters, createLogger, systemClock } from '../process/index.ts';
import { basicConstraints, createCsr, parseChain, softwareSigner, type WantedExtension } from '../x509/index.ts';
import { CertificateService, type CreateRequest } from './service.ts';
import { loadSettings } from './settings-read.ts';
import { CertificateStore } from './store.ts';
import { type MemoryKeyd, memoryKeyd } from './testing/memory-keyd.ts';

let root: string;
let keyd: MemoryKeyd;
let service: CertificateService;
let clock: Clock;
const USER = toUid(4001);
const ROOT = toUid(0);
const DAY_MS = 86_400_000;
const log = createLogger({ target: 'certd', filter: 'off', write: () => undefined, now: () => 0 });
const never = new AbortController().signal;

async function start(toml: string): Promise<CertificateService> {
  writeFileSync(join(root, 'config.toml'), `homedir_path = "${root}/home"\n${toml}`);
  const { settings } = await loadSettings({ mainFile: join(root, 'config.toml'), directory: join(root, 'none') });
  const store = new CertificateStore(settings.homedir, settings.preloaded);
  const refuse = () => Promise.reject(new Error('EST must not be asked'));
  const est = { enrol: refuse, csrAttributes: refuse };
  service = new CertificateService(
    { settings, store, trust: { anchors: [], source: '' }, proxy: undefined },
    { keyd, est, clock, log, random: () => 0, counters: createCounters() },
  );
  return service;
}

function signerOf(id: string) {
  const pair = keyd.pairs.get(id) ?? generateKeyPairSync('rsa', { modulusLength: 2048 });
  keyd.pairs.set(id, pair);
  return softwareSigner(pair.privateKey, pair.publicKey);
}

function csrFor(id: string, cn = 'from the csr', extensions: WantedExtension[] = []): Promise<string> {
  return createCsr({ subject: [['CN', cn]], extensions, signer: signerOf(id) });
}

const create = (request: CreateRequest, uid = ROOT) => service.create(uid, request, never);
const subjectOf = (pem: string) => parseChain(pem)[0]?.x509.subject;

/** A CA `local-ca` with key `ca`. */
async function makeCa(days = 365): Promise<string> {
  await start(`[cert_issuance]\nca = { method = "self_signed", expiry_days = ${days} }`);
  return create({ certId: 'ca', csr: await csrFor('ca', 'the ca', [basicConstraints({})]) });
}

const LOCAL = '[cert_issuance.local_ca]\ncert = "ca"\npk = "ca"\n[cert_issuance]\n';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'certd-'));
  keyd = memoryKeyd();
  clock = { ...systemClock };
});
afterEach(() => rmSync(root, { recursive: true }));

describe('storage', () => {
  test('CS-062 CS-063 file names, mode and content are those of the reference', async () => {
    const pem = await makeCa();
    for (const id of ['device-id', 'a-b', 'ab', 'a/b c', 'é']) await service.put(ROOT, id, `words\r\n${pem}`);
    const names = readdirSync(join(root, 'home/certs'));
    expect(names).toContain('deviceid-bd732105ef89cf8edd2606a5309c8a26b7b5599a4e124a0fe6199b6b2f60e655.cer');
    expect(names).toContain('abc-0af99a609169538538d589bf108a2131d8bc212c653d45ad44dedef60988ab9f.cer');
    expect(names).toHaveLength(6);
    expect(await service.get('a-b')).toBe(`words\r\n${pem}`);
    expect(statSync(join(root, 'home/certs', names[0]!)).mode & 0o777).toBe(0o644);
  });

  test('CS-010 CS-025 CS-026 absent is 400, deleting twice is fine', async () => {
    const pem = await makeCa();
    await service.put(ROOT, 'x', pem);
    await service.remove(ROOT, 'x');
    await service.remove(ROOT, 'x');
    await expect(service.get('x')).rejects.toMatchObject({
      status: 400,
      message: 'parameter "id" has an invalid value\ncaused by: not found',
    });
  });

  test.each([['x'], [''], ['-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n']])(
    'CS-024 PUT of %j is 400 on pem',
    async (pem) => {
      await start('');
      await expect(service.put(ROOT, 'x', pem)).rejects.toThrow('parameter "pem"');
      expect(existsSync(join(root, 'home/certs'))).toBe(false);
    },
  );

  test('CS-064 an id that makes too long a name is an internal error before anything is done', async () => {
    await makeCa();
    const id = 'y'.repeat(187);
    const csr = await csrFor('k');
    for (const attempt of [
      () => service.get(id),
      () => service.remove(ROOT, id),
      () => create({ certId: id, csr, issuer: { certId: 'ca', privateKeyHandle: 'handle:ca' } }),
    ]) {
      await expect(attempt()).rejects.toThrow('too long');
    }
  });

  test('CS-012 CS-013 a user that is not listed is refused by uid and id', async () => {
    const pem = await makeCa();
    const text = 'user 4001 is not authorized to modify the cert x';
    for (const attempt of [
      () => service.put(USER, 'x', pem),
      () => service.remove(USER, 'x'),
      () => create({ certId: 'x', csr: 'bad' }, USER),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ status: 401, message: text });
    }
  });
});

describe('preloaded', () => {
  test('CS-065 a preloaded file is read as it is and replaced in place, through a link, with its mode', async () => {
    const pem = await makeCa();
    writeFileSync(join(root, 'real.pem'), 'words');
    chmodSync(join(root, 'real.pem'), 0o640);
    symlinkSync(join(root, 'real.pem'), join(root, 'link.pem'));
    await start(`[preloaded_certs]\np = "file://${root}/link.pem"`);
    expect(await service.get('p')).toBe('words');
    await service.put(ROOT, 'p', pem);
    expect(readFileSync(join(root, 'real.pem'), 'utf8')).toBe(pem);
    expect(statSync(join(root, 'real.pem')).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(root, 'home/certs'))).toHaveLength(1);
  });

  test('CS-066 CS-070 bundles skip missing members and get their newlines', async () => {
    writeFileSync(join(root, 'one'), 'one');
    writeFileSync(join(root, 'two'), 'two\n');
    const file = (name: string) => `${name} = "file://${root}/${name}"\n`;
    await start(
      `[preloaded_certs]\n${file('one')}${file('two')}b = ["one", "gone", "two"]\nn = ["b", "one"]\nnone = ["gone"]\nempty = []`,
    );
    expect(await service.get('n')).toBe('one\ntwo\none');
    for (const id of ['none', 'empty']) await expect(service.get(id)).rejects.toThrow('not found');
  });

  test('CS-067 CS-068 CS-069 CS-071 what cannot be read or written is an internal error of its own', async () => {
    const pem = await makeCa();
    writeFileSync(join(root, 'der'), Buffer.from([0x30, 0x82, 0xff, 0xfe]));
    await start(
      `[preloaded_certs]\nder = "file://${root}/der"\nweb = "https://h/x"\na = ["b"]\nb = ["a"]\nbundle = []`,
    );
    for (let times = 0; times < 20; times++) await expect(service.get('der')).rejects.toThrow('no text');
    await expect(service.get('web')).rejects.toThrow('file path');
    await expect(service.get('a')).rejects.toThrow('a -> b -> a');
    for (const id of ['bundle', 'web']) await expect(service.put(ROOT, id, pem)).rejects.toThrow('file path');
    await expect(service.remove(ROOT, 'bundle')).rejects.toThrow('bundle');
    const issuer = { certId: 'ca', privateKeyHandle: 'handle:ca' };
    const before = keyd.calls.length;
    await expect(create({ certId: 'bundle', csr: await csrFor('k'), issuer })).rejects.toThrow('bundle');
    expect(keyd.calls).toHaveLength(before);
  });
});

describe('issuing', () => {
  test('CS-035 CS-036 the issuer must be there and hold certificates', async () => {
    await makeCa();
    writeFileSync(join(root, 'words'), 'just words');
    await start(`[preloaded_certs]\nwords = "file://${root}/words"`);
    const csr = await csrFor('k');
    const by = (certId: string, privateKeyHandle = 'handle:ca') =>
      create({ certId: 'x', csr, issuer: { certId, privateKeyHandle } });
    await expect(by('gone')).rejects.toThrow('parameter "issuer.certId" has an invalid value\ncaused by: not found');
    await expect(by('words')).rejects.toThrow(
      'parameter "issuer.certId" has an invalid value\ncaused by: invalid issuer',
    );
    await expect(by('ca', 'a\0b')).rejects.toThrow(
      '"issuer.privateKeyHandle" has an invalid value\ncaused by: nul byte found in provided data at position: 1',
    );
    await expect(by('ca', 'handle:nosuch')).rejects.not.toMatchObject({ status: 400, name: 'ServiceError' });
  });

  test('CS-030 CS-031 CS-037 a bad request, or no way to issue, is 400', async () => {
    await start('');
    const csr = await csrFor('k');
    await expect(create({ certId: 'x', csr: Buffer.from(csr).toString('base64') })).rejects.toThrow('parameter "csr"');
    await expect(create({ certId: 'x', csr })).rejects.toThrow('parameter "issuer"');
    await expect(create({ certId: 'x', csr, issuer: null })).rejects.toThrow('parameter "issuer"');
  });

  test('CS-038 CS-039 an issuer in the request goes before the method, subject and lifetime still count', async () => {
    const caPem = await makeCa();
    await start('[cert_issuance]\nx = { method = "est", common_name = "override", expiry_days = 3 }');
    const pem = await create({
      certId: 'x',
      csr: await csrFor('k'),
      issuer: { certId: 'ca', privateKeyHandle: 'handle:ca' },
    });
    expect(pem.endsWith(caPem)).toBe(true);
    expect(subjectOf(pem)).toBe('CN=override');
    const leaf = parseChain(pem)[0]!;
    expect(leaf.notAfter - leaf.notBefore).toBe(3 * DAY_MS);
    expect(await service.get('x')).toBe(pem);
  });

  test('CS-040 self signed: one certificate that verifies with its own key, no AuthorityKeyIdentifier', async () => {
    const pem = await makeCa();
    const [cert, ...rest] = parseChain(pem);
    expect(rest).toEqual([]);
    expect(cert!.x509.verify(cert!.x509.publicKey)).toBe(true);
    writeFileSync(join(root, 'ca.pem'), pem);
    const text = execFileSync('openssl', ['x509', '-in', join(root, 'ca.pem'), '-noout', '-text'], {
      encoding: 'utf8',
    });
    expect(text).toMatch(/CA:TRUE[\s\S]*Subject Key/);
    expect(text).not.toContain('Authority Key');
  });

  test('CS-041 CS-042 self signed needs the key of the same id, and the request for that key', async () => {
    await start('[cert_issuance]\nme = { method = "self_signed" }');
    await expect(create({ certId: 'me', csr: await csrFor('other') })).rejects.not.toMatchObject({
      name: 'ServiceError',
    });
    signerOf('me');
    await expect(create({ certId: 'me', csr: await csrFor('other') })).rejects.toThrow('parameter "csr"');
    await expect(service.get('me')).rejects.toThrow('not found');
  });

  test('CS-043 local CA that is not configured, absent or empty is an internal error', async () => {
    await start('[cert_issuance]\nx = { method = "local_ca" }');
    await expect(create({ certId: 'x', csr: await csrFor('k') })).rejects.toThrow('local CA is not configured');
    await start(`${LOCAL}x = { method = "local_ca" }`);
    await expect(create({ certId: 'x', csr: await csrFor('k') })).rejects.toThrow('not there');
    writeFileSync(join(root, 'empty'), '');
    await start(`[preloaded_certs]\nca = "file://${root}/empty"\n${LOCAL}x = { method = "local_ca" }`);
    await expect(create({ certId: 'x', csr: await csrFor('k') })).rejects.toThrow('no PEM certificate');
  });

  test('CS-044 CS-049 local CA: chain, key identifiers, end no later than the CA', async () => {
    const ca = parseChain(await makeCa(10))[0]!;
    await start(`${LOCAL}x = { method = "local_ca", expiry_days = 365 }`);
    const [leaf, issuer] = parseChain(await create({ certId: 'x', csr: await csrFor('k') }));
    expect(issuer!.der.equals(ca.der)).toBe(true);
    expect(leaf!.x509.checkIssued(ca.x509) && leaf!.x509.verify(ca.x509.publicKey)).toBe(true);
    expect(leaf!.notAfter).toBe(ca.notAfter);
  });

  test('CS-050 an expired CA issues nothing', async () => {
    await makeCa(1);
    await start(`${LOCAL}x = { method = "local_ca" }`);
    clock.now = () => Date.now() + 2 * DAY_MS;
    await expect(create({ certId: 'x', csr: await csrFor('k') })).rejects.toThrow('expired');
  });

  test.each([
    ['CS-053', `common_name = "${'é'.repeat(70)}"`, `CN=${'é'.repeat(64)}`],
    ['CS-054', 'subject = { L = "l", ST = "s", CN = "c" }', 'CN=c\nL=l\nST=s'],
    ['CS-055', 'subject = { cn = "c" }', 'CN=c'],
    ['both', 'common_name = "a", subject = { CN = "b" }', 'CN=a'],
  ])('%s subject from %s', async (_name, rule, expected) => {
    await makeCa();
    await start(`${LOCAL}x = { method = "local_ca", ${rule} }`);
    expect(subjectOf(await create({ certId: 'x', csr: await csrFor('k') }))).toBe(expected);
  });

  test.each([
    ['CS-056', 'subject = { nosuch = "x" }', 'nosuch'],
    ['too long', `subject = { O = "${'o'.repeat(65)}" }`, '"O"'],
    ['empty', 'common_name = ""', '"CN"'],
    ['wrong type', 'subject = { CN = 5 }', 'not a table of strings'],
    ['endless', 'expiry_days = 4294967295', '9999'],
  ])('%s: %s fails and writes nothing', async (_name, rule, text) => {
    await makeCa();
    await start(
      `${rule.startsWith('expiry') ? '' : LOCAL}${rule.startsWith('expiry') ? '[cert_issuance]\n' : ''}x = { method = "${rule.startsWith('expiry') ? 'self_signed' : 'local_ca'}", ${rule} }`,
    );
    await expect(create({ certId: 'x', csr: await csrFor('x') })).rejects.toThrow(text);
    await expect(service.get('x')).rejects.toThrow('not found');
  });
});
