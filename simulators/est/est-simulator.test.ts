import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestPki, ManualClock, type TestPki } from '../common/index.ts';
import { createEstSimulator, type EstSimulator } from './index.ts';

let folder: string;
let pki: TestPki;
let est: EstSimulator;
const at = (name: string) => join(folder, name);
const put = (name: string, text: string) => {
  writeFileSync(at(name), text);
  return at(name);
};
const run = (command: string, args: string[]) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** curl in a process that leaves this event loop free to serve it. */
async function curl(...args: string[]): Promise<{ status: number; text: string }> {
  const { execFile } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    execFile('curl', ['-sS', '--cacert', at('root.pem'), '-w', '\n%{http_code}', ...args], (error, stdout, stderr) => {
      if (error) reject(new Error(stderr));
      else
        resolve({
          status: Number(stdout.slice(stdout.lastIndexOf('\n') + 1)),
          text: stdout.slice(0, stdout.lastIndexOf('\n')),
        });
    });
  });
}

function makeRequest(subject: string, ...extra: string[]): string {
  run('openssl', [
    'req',
    '-new',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    at('key.pem'),
    '-subj',
    subject,
    '-outform',
    'DER',
    '-out',
    at('csr.der'),
    ...extra,
  ]);
  return put('csr.b64', readFileSync(at('csr.der')).toString('base64'));
}

const enrol = (operation: string, ...args: string[]) =>
  curl(
    '-H',
    'content-type: application/pkcs10',
    '--data-binary',
    `@${at('csr.b64')}`,
    ...args,
    `${est.url}/${operation}`,
  );
const basic = ['-u', 'device:s€cret'];

async function start(options: Partial<Parameters<typeof createEstSimulator>[0]> = {}): Promise<void> {
  await est?.close();
  const clientCas = [(await pki.ca('bootstrap')).certificatePem, (await pki.ca('est')).certificatePem];
  est = await createEstSimulator({
    pki,
    auth: { basic: [{ username: 'device', password: 's€cret' }], clientCas },
    ...options,
  });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'est-'));
  pki = await createTestPki();
  put('root.pem', pki.root.certificatePem);
  await start();
});
afterEach(async () => {
  await est.close();
  rmSync(folder, { recursive: true });
});

/** Reads a base64 PKCS#7 answer with openssl; the certificates as PEM text. */
function certificatesIn(text: string): string {
  writeFileSync(at('answer.p7'), Buffer.from(text, 'base64'));
  return run('openssl', ['pkcs7', '-inform', 'DER', '-in', at('answer.p7'), '-print_certs']);
}

describe('by hand with curl and openssl', () => {
  it('cacerts: authority and root, readable by openssl pkcs7', async () => {
    const { status, text } = await curl(`${est.url}/cacerts`);
    expect(status).toBe(200);
    expect(certificatesIn(text).match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it('simpleenroll by password: a leaf for this key that openssl verifies', async () => {
    makeRequest('/CN=dev-01');
    const { status, text } = await enrol('simpleenroll', ...basic);
    expect(status).toBe(200);
    const leaf = put('leaf.pem', certificatesIn(text));
    expect(run('openssl', ['verify', '-purpose', 'sslclient', '-CAfile', put('ca.pem', est.caPem), leaf])).toContain(
      'OK',
    );
    const keyOf = (args: string[]) => run('openssl', args);
    expect(keyOf(['x509', '-in', leaf, '-noout', '-pubkey'])).toBe(keyOf(['pkey', '-in', at('key.pem'), '-pubout']));
    expect(keyOf(['x509', '-in', leaf, '-noout', '-subject'])).toMatch(/CN = dev-01.*TEST/);
  });

  it('EST-049: simpleenroll by bootstrap certificate, then simplereenroll by what was issued and for its very name', async () => {
    const bootstrap = await pki.issueClientCertificate('CN=TEST factory');
    makeRequest('/CN=dev-01', '-addext', 'subjectAltName=DNS:dev-01.test');
    const first = await enrol(
      'simpleenroll',
      '--cert',
      put('b.pem', bootstrap.certPem),
      '--key',
      put('b.key', bootstrap.keyPem),
    );
    expect(first.status).toBe(200);
    const old = put('old.pem', certificatesIn(first.text));
    const key = put('old.key', readFileSync(at('key.pem'), 'utf8'));
    makeRequest('/CN=dev-01', '-addext', 'subjectAltName=DNS:dev-01.test');
    expect((await enrol('simplereenroll', '--cert', old, '--key', key)).status).toBe(200);
    makeRequest('/CN=dev-02', '-addext', 'subjectAltName=DNS:dev-01.test');
    expect((await enrol('simplereenroll', '--cert', old, '--key', key)).status, 'another subject').toBe(400);
    makeRequest('/CN=dev-01');
    expect((await enrol('simplereenroll', '--cert', old, '--key', key)).status, 'another subjectAltName').toBe(400);
  });

  it('EST-048: csrattrs is 204', async () => {
    expect((await curl(`${est.url}/csrattrs`)).status).toBe(204);
  });
});

describe('refusals', () => {
  it.each([
    ['no credential', 401, []],
    ['wrong password', 401, ['-u', 'device:wrong']],
    ['wrong user', 401, ['-u', 'other:s€cret']],
  ])('%s → %i', async (_, status, args) => {
    makeRequest('/CN=x');
    expect((await enrol('simpleenroll', ...args)).status).toBe(status);
  });

  it('a client certificate of another authority, and EST-050: one that has expired', async () => {
    makeRequest('/CN=x');
    const strange = await (await createTestPki()).issueClientCertificate('CN=TEST stranger');
    const files = (name: string, { certPem, keyPem }: typeof strange) => [
      '--cert',
      put(`${name}.pem`, certPem),
      '--key',
      put(`${name}.key`, keyPem),
    ];
    expect((await enrol('simpleenroll', ...files('s', strange))).status).toBe(401);
    const mine = await pki.issueClientCertificate('CN=TEST device', { lifetimeSeconds: 3600 });
    expect((await enrol('simpleenroll', ...files('m', mine))).status).toBe(200);
    await start({ clock: new ManualClock(Date.now() + 7_200_000) });
    expect((await enrol('simpleenroll', ...files('m', mine))).status).toBe(401);
    expect(est.journal.list().at(-1)?.reason).toContain('expired');
  });

  it('both are needed where both are asked for', async () => {
    await start({
      auth: {
        basic: [{ username: 'device', password: 's€cret' }],
        clientCas: [(await pki.ca('bootstrap')).certificatePem],
        require: 'both',
      },
    });
    makeRequest('/CN=x');
    const { certPem, keyPem } = await pki.issueClientCertificate('CN=TEST b');
    const certificate = ['--cert', put('b.pem', certPem), '--key', put('b.key', keyPem)];
    expect((await enrol('simpleenroll', ...basic)).status).toBe(401);
    expect((await enrol('simpleenroll', ...certificate)).status).toBe(401);
    expect((await enrol('simpleenroll', ...basic, ...certificate)).status).toBe(200);
  });

  it('a request with a broken signature, a weak key, no request at all, another content type', async () => {
    makeRequest('/CN=x');
    const der = readFileSync(at('csr.der'));
    der[der.length - 3] = (der.at(-3) ?? 0) ^ 1;
    put('csr.b64', der.toString('base64'));
    expect((await enrol('simpleenroll', ...basic)).text).toContain('signature');
    spawnSync('openssl', [
      'req',
      '-new',
      '-newkey',
      'rsa:1024',
      '-nodes',
      '-keyout',
      at('w.key'),
      '-subj',
      '/CN=x',
      '-outform',
      'DER',
      '-out',
      at('w.der'),
    ]);
    put('csr.b64', readFileSync(at('w.der')).toString('base64'));
    expect((await enrol('simpleenroll', ...basic)).text).toContain('2048');
    put('csr.b64', 'aGVsbG8=');
    expect((await enrol('simpleenroll', ...basic)).status).toBe(400);
    expect((await curl(...basic, '--data', 'x', `${est.url}/simpleenroll`)).status).toBe(415);
  });

  it.each([
    ['/nosuch', 404],
    ['/simpleenroll', 405],
  ])('GET %s → %i', async (path, status) => {
    expect((await curl(`${est.url}${path}`)).status).toBe(status);
  });
});

describe('quirks', () => {
  it('202 with Retry-After, then the certificate', async () => {
    est.setQuirks({ pending: { times: 1, retryAfterSeconds: 2 } });
    makeRequest('/CN=x');
    expect((await enrol('simpleenroll', ...basic)).status).toBe(202);
    expect((await enrol('simpleenroll', ...basic)).status).toBe(200);
  });

  it("someone else's certificate, 201, a page, no content type", async () => {
    makeRequest('/CN=x');
    est.setQuirks({ foreignLeaf: true });
    const leaf = put('leaf.pem', certificatesIn((await enrol('simpleenroll', ...basic)).text));
    expect(run('openssl', ['x509', '-in', leaf, '-noout', '-pubkey'])).not.toBe(
      run('openssl', ['pkey', '-in', at('key.pem'), '-pubout']),
    );
    est.setQuirks({ created: true });
    expect((await enrol('simpleenroll', ...basic)).status).toBe(201);
    est.setQuirks({ html: true });
    expect((await enrol('simpleenroll', ...basic)).text).toContain('<html>');
    est.setQuirks({ missingContentType: true });
    expect((await enrol('simpleenroll', ...basic, '-D', at('head'))).status).toBe(200);
    expect(readFileSync(at('head'), 'utf8')).not.toMatch(/content-type/i);
  });

  it('other forms of the body: one line, PEM, DER, bad base64, another message', async () => {
    makeRequest('/CN=x');
    const bytes = async () => {
      await enrol('simpleenroll', ...basic, '-o', at('body'));
      return readFileSync(at('body'));
    };
    est.setQuirks({ unwrappedBase64: true });
    expect((await bytes()).toString()).toMatch(/^[A-Za-z0-9+/]+=*$/);
    est.setQuirks({ body: 'pem' });
    await bytes();
    expect(run('openssl', ['pkcs7', '-in', at('body'), '-print_certs', '-noout'])).toContain('subject=CN = x');
    est.setQuirks({ body: 'der' });
    await bytes();
    expect(run('openssl', ['pkcs7', '-inform', 'DER', '-in', at('body'), '-print_certs', '-noout'])).toContain(
      'CN = x',
    );
    est.setQuirks({ body: 'bad-base64' });
    expect((await bytes()).toString()).toMatch(/^\*/);
    est.setQuirks({ wrongMessageType: true });
    const message = Buffer.from((await bytes()).toString(), 'base64').toString('hex');
    expect(message).toContain('06092a864886f70d010701');
    expect(message).not.toContain('06092a864886f70d010702');
  });

  it('an expired leaf, duplicates, authorities first, none; each is in the journal', async () => {
    makeRequest('/CN=x');
    const subjects = async () => {
      const printed = certificatesIn((await enrol('simpleenroll', ...basic)).text);
      return [...printed.matchAll(/subject=.*CN = ([^,\n]+)/g)].map(([, name]) => name);
    };
    est.setQuirks({ duplicates: true });
    expect(await subjects()).toEqual(['x', 'x']);
    est.setQuirks({ chainReversed: true });
    expect(await subjects()).toEqual(['TEST est CA', 'TEST root CA', 'x']);
    est.setQuirks({ empty: true });
    expect(await subjects()).toEqual([]);
    est.setQuirks({ expiredLeaf: true });
    const leaf = put('leaf.pem', certificatesIn((await enrol('simpleenroll', ...basic)).text));
    expect(spawnSync('openssl', ['x509', '-in', leaf, '-noout', '-checkend', '0']).status).toBe(1);
    expect(est.journal.list().map(({ fault }) => fault)).toEqual([
      'quirk duplicates',
      'quirk chainReversed',
      'quirk empty',
      'quirk expiredLeaf',
    ]);
  });

  it('only for one operation; another content type; slow bytes; never', async () => {
    est.setQuirks({ operation: 'cacerts', contentType: 'application/octet-stream' });
    makeRequest('/CN=x');
    await enrol('simpleenroll', ...basic, '-D', at('head'));
    expect(readFileSync(at('head'), 'utf8')).toMatch(/content-type: application\/pkcs7-mime/i);
    await curl('-D', at('head'), `${est.url}/cacerts`);
    expect(readFileSync(at('head'), 'utf8')).toMatch(/content-type: application\/octet-stream/i);
    est.setQuirks({ slowBytesMilliseconds: 1 });
    expect(certificatesIn((await curl(`${est.url}/cacerts`)).text)).toContain('TEST est CA');
    est.setQuirks({ slowBytesMilliseconds: 1000 });
    await expect(curl('-m', '1', `${est.url}/cacerts`)).rejects.toThrow('timed out');
    est.setQuirks({ never: true });
    await expect(curl('-m', '1', `${est.url}/cacerts`)).rejects.toThrow('timed out');
  });
});

describe('what is issued', () => {
  const issued = async (operation = 'simpleenroll') =>
    put('leaf.pem', certificatesIn((await enrol(operation, ...basic)).text));

  it('keeps the string types and the order of the subject, and marks it for tests at its end', async () => {
    makeRequest('/C=DE/O=Ö, Co+OU=x/CN=dev-01', '-utf8', '-multivalue-rdn');
    const names = ['-noout', '-subject', '-nameopt', 'oneline,show_type,utf8,-esc_msb'];
    const asked = run('openssl', ['req', '-inform', 'DER', '-in', at('csr.der'), ...names]).trimEnd();
    expect(asked).toContain('C = PRINTABLESTRING:DE, OU = UTF8STRING:x + O = UTF8STRING:"Ö, Co"');
    const printed = run('openssl', ['x509', '-in', await issued(), ...names]).trimEnd();
    expect(printed).toBe(`${asked}, O = UTF8STRING:TEST ONLY`);
  });

  it('a subject that says TEST stays as it is', async () => {
    makeRequest('/CN=TEST dev');
    expect(run('openssl', ['x509', '-in', await issued(), '-noout', '-subject'])).toBe('subject=CN = TEST dev\n');
  });

  it('validity follows the clock of the server, its offset and life time, to the second', async () => {
    const now = Date.UTC(2031, 0, 2, 3, 4, 5);
    await start({ clock: new ManualClock(now), certificateLifetimeSeconds: 7, notBeforeOffsetSeconds: -5 });
    makeRequest('/CN=x');
    const { X509Certificate } = await import('node:crypto');
    const leaf = new X509Certificate(readFileSync(await issued()));
    expect([Date.parse(leaf.validFrom) - now, Date.parse(leaf.validTo) - now]).toEqual([-5000, 2000]);
  });

  it('an extension for servers is kept where the request asks for it, an authority is never made', async () => {
    makeRequest('/CN=x', '-addext', 'extendedKeyUsage=serverAuth', '-addext', 'basicConstraints=critical,CA:TRUE');
    const printed = run('openssl', ['x509', '-in', await issued(), '-noout', '-text']);
    expect(printed).toContain('TLS Web Server Authentication');
    expect(printed).not.toContain('TLS Web Client Authentication');
    expect(printed).toContain('CA:FALSE');
  });
});

it('does not start where nobody could enrol', async () => {
  await expect(createEstSimulator({ pki, auth: {} })).rejects.toThrow('auth needs');
});
