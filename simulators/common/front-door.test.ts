import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createFaultScript,
  createJournal,
  createTestPki,
  type FrontDoor,
  type FrontDoorAnswer,
  type FrontDoorRequest,
  startFrontDoor,
  type TestPki,
} from './index.ts';

let pki: TestPki;
let door: FrontDoor;
const journal = createJournal();
const faults = createFaultScript({ seed: 7 });
let handler: (seen: FrontDoorRequest) => Promise<FrontDoorAnswer>;

beforeEach(async () => {
  pki = await createTestPki();
  journal.clear();
  faults.clear();
  handler = async () => ({ status: 200, body: 'proper' });
  const tls = await pki.issueServerCertificate({ hosts: ['localhost'] });
  door = await startFrontDoor({
    service: 'test',
    tls,
    journal,
    faults,
    maxBodyBytes: 10,
    handler: (seen) => handler(seen),
  });
});
afterEach(() => door.close());

type Answer = { status: number; headers: Record<string, unknown>; text: string };
const call = (body = ''): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const to = { port: door.port, host: 'localhost', ca: pki.root.certificatePem, method: 'POST', agent: false };
    const sent = request(to, (answer) => {
      let text = '';
      answer.on('data', (chunk) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      answer.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });

/** Speaks HTTP on a TLS socket of its own; resolves with that socket once the head of the answer is there. */
const speak = (protocol: 'TLSv1.2' | 'TLSv1.3', session?: Buffer): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connect({
      port: door.port,
      host: 'localhost',
      ca: pki.root.certificatePem,
      minVersion: protocol,
      maxVersion: protocol,
      ...(session ? { session } : {}),
    });
    socket.on('error', reject);
    socket.once('data', () => resolve(socket));
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  });

it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: no session is resumed', async (protocol) => {
  const first = await speak(protocol);
  const session = first.getSession();
  first.destroy();
  const second = await speak(protocol, session);
  expect(second.isSessionReused()).toBe(false);
  second.destroy();
});

it('tells the channel bindings of the connection that the client sees too', async () => {
  const seen: FrontDoorRequest['tls'][] = [];
  handler = async ({ tls }) => {
    seen.push(tls);
    return { status: 200 };
  };
  for (const protocol of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = await speak(protocol);
    const tls = seen.at(-1);
    expect(tls?.protocol).toBe(protocol);
    expect(tls?.tlsUnique).toEqual(protocol === 'TLSv1.2' ? socket.getFinished() : undefined);
    expect(tls?.tlsExporter).toEqual(socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)));
    socket.destroy();
  }
});

it('a larger body than allowed is 413, and one that fits is taken', async () => {
  expect((await call('x'.repeat(11))).status).toBe(413);
  expect((await call('x'.repeat(10))).status).toBe(200);
});

it('204 has neither body nor content-length (RFC 9110 8.6)', async () => {
  handler = async () => ({ status: 204 });
  expect((await call()).headers['content-length']).toBeUndefined();
});

it('a rule that fails is 500 without its text, which is in the journal', async () => {
  handler = async () => {
    throw new Error('table is missing');
  };
  expect(await call()).toMatchObject({ status: 500, text: 'simulator fault\n' });
  expect(journal.list().at(-1)).toMatchObject({ status: 500, reason: 'simulator fault: table is missing' });
});

it('shows another certificate on demand: for a wrong name, of an unknown authority', async () => {
  door.setCertificate(await pki.issueServerCertificate({ hosts: ['elsewhere.test'] }));
  await expect(call()).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  const stranger = await createTestPki();
  door.setCertificate(await stranger.issueServerCertificate({ hosts: ['localhost'] }));
  await expect(call()).rejects.toMatchObject({ code: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' });
  expect(journal.list()).toEqual([]);
});

describe('faults on the wire', () => {
  it('reset: the caller gets ECONNRESET', async () => {
    faults.add({ fault: { kind: 'reset' } });
    await expect(call()).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(journal.list().at(-1)).toMatchObject({ fault: 'reset' });
    expect(journal.list().at(-1)?.status).toBeUndefined();
  });

  it('never: silence until the caller hangs up, and close does not wait for it', async () => {
    faults.add({ fault: { kind: 'never' } });
    const pending = call();
    const entry = await journal.wait(({ fault }) => fault === 'never');
    expect(entry.status).toBeUndefined();
    await door.close();
    await expect(pending).rejects.toThrow();
  });

  it('slow-bytes: the proper answer, whole', async () => {
    faults.add({ fault: { kind: 'slow-bytes', milliseconds: 1 } });
    expect(await call()).toMatchObject({ status: 200, text: 'proper' });
  });

  it('an empty body of another content type is a status fault', async () => {
    faults.add({
      fault: { kind: 'status', status: 429, headers: { 'content-type': 'text/html', 'retry-after': '3' } },
    });
    expect(await call()).toMatchObject({
      status: 429,
      text: '',
      headers: { 'content-type': 'text/html', 'retry-after': '3' },
    });
  });
});

describe('journal', () => {
  it('wait resolves with a request that has come, or comes later, and gives up after its limit', async () => {
    await call();
    expect(await journal.wait(({ method }) => method === 'POST')).toBe(journal.list()[0]);
    const later = journal.wait(({ body }) => body.toString() === 'later');
    await call('later');
    expect((await later).body.toString()).toBe('later');
    await expect(journal.wait(() => false, { milliseconds: 20 })).rejects.toThrow('no such request within 20 ms');
  });
});
