import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createFaultScript,
  createJournal,
  createTestPki,
  type FrontDoor,
  ManualClock,
  openStateStore,
  readPemChain,
  startFrontDoor,
  type TestPki,
} from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'common-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const put = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe('test PKI', () => {
  it('openssl verifies server and client certificates up to the root, for their purpose', async () => {
    const pki = await createTestPki();
    const root = put('root.pem', pki.root.certificatePem);
    const server = await pki.issueServerCertificate({ hosts: ['localhost', '127.0.0.1'] });
    const client = await pki.issueClientCertificate('CN=TEST device');
    const check = (name: string, pem: string, purpose: string) =>
      execFileSync(
        'openssl',
        [
          'verify',
          '-x509_strict',
          '-purpose',
          purpose,
          '-CAfile',
          root,
          '-untrusted',
          put(`${name}-c.pem`, pem),
          put(`${name}.pem`, pem),
        ],
        { encoding: 'utf8' },
      );
    expect(check('server', server.certPem, 'sslserver')).toContain('OK');
    expect(check('client', client.certPem, 'sslclient')).toContain('OK');
    expect(() => check('client', client.certPem, 'sslserver')).toThrow();
  });

  it('every certificate says TEST, serials are positive and differ', async () => {
    const pki = await createTestPki();
    const { certPem } = await pki.issueServerCertificate({ hosts: ['localhost'] });
    const all = [...readPemChain(certPem), ...readPemChain(pki.root.certificatePem)];
    for (const certificate of all) expect(certificate.subject).toContain('TEST');
    expect(new Set(all.map(({ serialNumber }) => serialNumber)).size).toBe(3);
    for (const { serialNumber } of all) expect(serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  it('is kept in its folder, keys with mode 0600', async () => {
    const first = await createTestPki({ stateDir: folder });
    const est = await first.ca('est');
    const second = await createTestPki({ stateDir: folder });
    expect(second.root.certificatePem).toBe(first.root.certificatePem);
    expect((await second.ca('est')).certificatePem).toBe(est.certificatePem);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  });

  it('issues for a request of openssl, with the extensions asked for but never a CA', async () => {
    const pki = await createTestPki();
    const csr = join(folder, 'csr.pem');
    execFileSync(
      'openssl',
      [
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        join(folder, 'k.pem'),
        '-out',
        csr,
        '-subj',
        '/CN=dev/O=Ö',
        '-addext',
        'basicConstraints=critical,CA:TRUE',
        '-addext',
        'subjectAltName=DNS:x.test',
      ],
      { stdio: 'ignore' },
    );
    const { readFileSync } = await import('node:fs');
    const est = await pki.ca('est');
    const leaf = put(
      'leaf.pem',
      await est.issue({
        csrPem: readFileSync(csr, 'utf8'),
        keepCsrExtensions: true,
        extendedKeyUsages: ['clientAuth'],
      }),
    );
    const text = execFileSync('openssl', ['x509', '-in', leaf, '-noout', '-text'], { encoding: 'utf8' });
    expect(text).toContain('CA:FALSE');
    expect(text).not.toContain('CA:TRUE');
    expect(text).toContain('DNS:x.test');
    const chain = put('est.pem', est.chainPem);
    expect(
      execFileSync(
        'openssl',
        ['verify', '-CAfile', put('root.pem', pki.root.certificatePem), '-untrusted', chain, leaf],
        { encoding: 'utf8' },
      ),
    ).toContain('OK');
  });
});

describe('front door', () => {
  let pki: TestPki;
  let door: FrontDoor;
  const journal = createJournal();
  const faults = createFaultScript({ seed: 7 });
  const clock = new ManualClock(0);

  beforeEach(async () => {
    pki = await createTestPki();
    journal.clear();
    faults.clear();
    const tls = await pki.issueServerCertificate({ hosts: ['localhost'] });
    door = await startFrontDoor({
      service: 'test',
      tls,
      journal,
      faults,
      clock,
      handler: async (seen) => ({
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          path: seen.path,
          chain: seen.clientChain.map(({ subject }) => subject),
          body: seen.body.toString(),
        }),
      }),
    });
  });
  afterEach(() => door.close());

  const call = (
    options: { path?: string; cert?: string; key?: string; body?: string } = {},
  ): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const { path = '/a?b=c', body = '', ...client } = options;
      const sent = request(
        {
          port: door.port,
          host: 'localhost',
          ca: pki.root.certificatePem,
          method: 'POST',
          path,
          agent: false,
          ...client,
        },
        (answer) => {
          let text = '';
          answer.on('data', (chunk) => {
            text += chunk;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
          answer.on('error', reject);
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });

  it('shows the client chain of every connection, leaf first', async () => {
    const { certPem, keyPem } = await pki.issueClientCertificate('CN=TEST me');
    for (const _ of [1, 2]) {
      const { text } = await call({ cert: certPem, key: keyPem });
      expect(JSON.parse(text).chain.slice(0, 2)).toEqual(['CN=TEST me', expect.stringContaining('TEST bootstrap CA')]);
    }
    expect(JSON.parse((await call()).text).chain).toEqual([]);
  });

  it('takes an absolute-form target and journals what it saw', async () => {
    expect(
      JSON.parse((await call({ path: `https://localhost:${door.port}/x/y?z=1`, body: 'hello' })).text),
    ).toMatchObject({ path: '/x/y', body: 'hello' });
    expect(journal.list().at(-1)).toMatchObject({
      method: 'POST',
      status: 200,
      service: 'test',
      target: expect.stringContaining('https://'),
    });
  });

  it('does not resume TLS sessions', async () => {
    const session = await new Promise<Buffer | undefined>((resolve) => {
      const socket = connect(
        { port: door.port, host: 'localhost', ca: pki.root.certificatePem, maxVersion: 'TLSv1.2' },
        () => {
          resolve(socket.getSession());
          socket.destroy();
        },
      );
    });
    const reused = await new Promise<boolean>((resolve) => {
      const socket = connect(
        {
          port: door.port,
          host: 'localhost',
          ca: pki.root.certificatePem,
          maxVersion: 'TLSv1.2',
          ...(session ? { session } : {}),
        },
        () => {
          resolve(socket.isSessionReused());
          socket.destroy();
        },
      );
    });
    expect(reused).toBe(false);
  });

  it('refuses more than 1 MiB', async () => {
    expect((await call({ body: 'x'.repeat(1024 * 1024 + 1) })).status).toBe(413);
  });

  it('plays a fault so many times, then answers; each is in the journal', async () => {
    faults.add({ fault: { kind: 'status', status: 503 }, where: 'POST /a', times: 2 });
    expect([(await call()).status, (await call()).status, (await call()).status]).toEqual([503, 503, 200]);
    expect(journal.list().map(({ fault }) => fault)).toEqual(['status', 'status', undefined]);
    faults.add({ fault: { kind: 'reset' }, times: 1 });
    await expect(call()).rejects.toThrow();
    faults.add({ fault: { kind: 'close-mid-body' }, times: 1 });
    await expect(call()).rejects.toThrow();
  });
});

describe('faults by probability', () => {
  it('the same seed plays the same faults', () => {
    const play = () => {
      const script = createFaultScript({ seed: 42 });
      script.add({ fault: { kind: 'reset' }, probability: 0.5 });
      return Array.from({ length: 50 }, () => script.next('GET', '/') !== undefined);
    };
    expect(play()).toEqual(play());
    expect(new Set(play()).size).toBe(2);
  });
});

describe('state store', () => {
  it('keeps documents over a new opening, and memory does not', () => {
    const first = openStateStore({ stateDir: folder });
    first.put('devices', 'b', { id: 'b' });
    first.put('devices', 'a', { id: 'a' });
    first.close();
    const second = openStateStore({ stateDir: folder });
    expect(second.list('devices').map(({ key }) => key)).toEqual(['a', 'b']);
    second.delete('devices', 'a');
    expect(second.get('devices', 'a')).toBeUndefined();
    second.close();
    expect(openStateStore({}).list('devices')).toEqual([]);
  });
});
