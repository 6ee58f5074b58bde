import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readRequest, readUnverified } from './certificate-request.ts';
import { certsOnly } from './certs-only.ts';
import { DerError, membersOf, readDer } from './der.ts';
import { EstRefusal } from './refusal.ts';
import { ByHand } from './testing/by-hand.ts';

let hand: ByHand;
beforeAll(async () => {
  hand = await ByHand.open();
  await hand.start({ auth: { require: 'none' } });
  hand.request('/CN=TEST dev-01', {
    more: ['-addext', 'subjectAltName=DNS:a.test', '-addext', 'extendedKeyUsage=clientAuth'],
  });
});
afterAll(() => hand.close());

/** `taken`, the status of a refusal; anything else is a defect and thrown. */
async function verdictOn(work: () => unknown): Promise<'taken' | number> {
  try {
    await work();
    return 'taken';
  } catch (error) {
    if (error instanceof EstRefusal) return error.status;
    throw error;
  }
}

/** Cuts, repeats, overwrites or inserts a stretch of bytes. */
const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  cut: fc.integer({ min: 0, max: 12 }),
  put: fc.uint8Array({ maxLength: 12 }),
});

function mutate(bytes: Buffer, changes: readonly { at: number; cut: number; put: Uint8Array }[]): Buffer {
  return changes.reduce((now, { at, cut, put }) => {
    const from = Math.floor(at * now.length);
    return Buffer.concat([now.subarray(0, from), put, now.subarray(from + cut)]);
  }, bytes);
}

it('any bytes in place of a body are refused as the caller’s fault', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      expect(await verdictOn(() => readRequest(Buffer.from(bytes)))).toBe(400);
      const encoded = Buffer.from(Buffer.from(bytes).toString('base64'));
      expect(await verdictOn(() => readUnverified(encoded))).toBe(400);
    }),
    { numRuns: 2000 },
  );
});

it('a mutated request is refused, or is the very request', async () => {
  const der = hand.read('csr.der');
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 4 }), async (changes) => {
      const changed = mutate(der, changes);
      const body = Buffer.from(changed.toString('base64'));
      expect(await verdictOn(() => readRequest(body))).toBe(changed.equals(der) ? 'taken' : 400);
      // without a look at the signature it may be taken, but never breaks the reader
      await verdictOn(() => readUnverified(body));
    }),
    { numRuns: 3000 },
  );
});

it('mutated requests for a server-made key give certificates that OpenSSL reads, or 4xx', async () => {
  const der = hand.read('csr.der');
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 2 }), async (changes) => {
      hand.put('m.b64', mutate(der, changes).toString('base64'));
      const total = hand.est.issuedTotal;
      const answer = await fetchStatus(hand.read('m.b64'));
      if (answer === 200) {
        const record = hand.est.issued().at(-1);
        expect(hand.est.issuedTotal).toBe(total + 1);
        expect(new X509Certificate(record?.der ?? Buffer.alloc(0)).subject).toContain('TEST');
      } else expect([400, 403]).toContain(answer);
    }),
    { numRuns: 60 },
  );
});

it('what is no HTTP, or half of it, does not stop the server', async () => {
  const words = fc.constantFrom(
    'POST ',
    'GET ',
    '/.well-known/est/',
    'simpleenroll',
    ' HTTP/1.1',
    '\r\n',
    ':',
    'content-length',
    '-1',
    '\0',
    'ÿ',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(words, { maxLength: 20 }), async (parts) => {
      await sendRaw(parts.join(''));
    }),
    { numRuns: 100 },
  );
  expect((await hand.curl(`${hand.est.url}/cacerts`)).status).toBe(200);
});

it('what the reader of DER takes is exactly what came', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        const value = readDer(Buffer.from(bytes));
        expect(value.raw.length).toBe(bytes.length);
        if (value.tag & 0x20)
          expect(Buffer.concat(membersOf(value).map(({ raw }) => raw)).equals(value.content)).toBe(true);
      } catch (error) {
        if (!(error instanceof DerError)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
});

it('what is emitted is DER for any number of certificates', () => {
  const [record] = hand.est.issued();
  const one = record?.der ?? Buffer.from(hand.est.caPem.split('-----')[2] ?? '', 'base64');
  for (const count of [0, 1, 2, 40, 200]) {
    const message = certsOnly(Array.from({ length: count }, () => one));
    expect(membersOf(readDer(message))).toHaveLength(2);
  }
});

/** Posts to serverkeygen over a raw connection; the status. */
function fetchStatus(body: Buffer): Promise<number> {
  return sendRaw(
    `POST /.well-known/est/serverkeygen HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/pkcs10\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  ).then((text) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]));
}

function sendRaw(text: string): Promise<string> {
  const { port } = new URL(hand.est.url);
  return new Promise((resolve) => {
    const socket = connect({
      host: '127.0.0.1',
      port: Number(port),
      ca: hand.read('root.pem'),
      servername: 'localhost',
    });
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(got));
    // half a request is left alone; a whole one closes the connection itself
    if (text.includes('connection: close')) socket.write(Buffer.from(text, 'latin1'));
    else socket.end(Buffer.from(text, 'latin1'));
  });
}
