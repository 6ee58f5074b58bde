import { createPrivateKey, X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../common/index.ts';
import { der, octets, oid, sequence, setOf, tagged } from './der.ts';
import { BASIC, ByHand, P256 } from './testing/by-hand.ts';

let hand: ByHand;
beforeEach(async () => {
  hand = await ByHand.open();
});
afterEach(() => hand.close());

describe('csrattrs', () => {
  it('object identifiers and attributes, read by openssl asn1parse; 204 where there are none', async () => {
    await hand.start({
      csrAttributes: [
        'serialNumber',
        { type: 'ecPublicKey', values: ['P-384'] },
        'ecdsaWithSha384',
        { purposes: ['clientAuth'] },
        { extension: '2.5.29.19', critical: true, value: 'MAA=' },
      ],
    });
    const { status, head, text } = await hand.curl(`${hand.est.url}/csrattrs`);
    expect(status).toBe(200);
    expect(head).toMatch(/^content-type: application\/csrattrs\r$/im);
    const attributes = hand.put('attrs.der', Buffer.from(text, 'base64'));
    const parsed = hand.openssl('asn1parse', '-inform', 'DER', '-in', attributes);
    for (const name of ['serialNumber', 'id-ecPublicKey', 'secp384r1', 'ecdsa-with-SHA384', 'Extension Request'])
      expect(parsed).toContain(name);
    await hand.start();
    expect((await hand.curl(`${hand.est.url}/csrattrs`)).status).toBe(204);
  });

  it('a name that nobody knows stops the start', async () => {
    await expect(hand.start({ csrAttributes: ['noSuchName'] })).rejects.toThrow('noSuchName');
  });
});

interface Part {
  readonly type: string;
  readonly content: Buffer;
}

/** The parts of a multipart/mixed answer. */
function partsOf(head: string, body: string): Part[] {
  const boundary = /content-type: multipart\/mixed; boundary=([^\s;]+)/i.exec(head)?.[1] ?? '';
  expect(boundary).not.toBe('');
  const pieces = body.split(`--${boundary}`);
  expect(pieces.at(-1)).toBe('--\r\n');
  return pieces.slice(1, -1).map((piece) => {
    const [headers = '', text = ''] = piece.split('\r\n\r\n');
    expect(headers).toMatch(/content-transfer-encoding: base64/i);
    return { type: /content-type: (.*)/i.exec(headers)?.[1] ?? '', content: Buffer.from(text, 'base64') };
  });
}

describe('serverkeygen', () => {
  it.each([
    ['ec-p256', /prime256v1/],
    ['ec-p384', /secp384r1/],
    ['rsa-2048', /2048 bit/],
  ] as const)('%s: the key is readable by openssl pkey, the certificate is for it', async (serverKey, printed) => {
    await hand.start({ serverKey });
    hand.request('/CN=dev-01');
    const { status, head, text } = await hand.enrol('serverkeygen', BASIC);
    expect(status).toBe(200);
    const [key, certificates] = partsOf(head, text);
    expect([key?.type, certificates?.type]).toEqual([
      'application/pkcs8',
      'application/pkcs7-mime; smime-type=certs-only',
    ]);
    const keyFile = hand.put('made.der', key?.content ?? '');
    expect(hand.openssl('pkey', '-inform', 'DER', '-in', keyFile, '-noout', '-text')).toMatch(printed);
    const leaf = hand.put('leaf.pem', hand.certificatesIn(certificates?.content.toString('base64') ?? ''));
    const publicOf = (...args: string[]) => hand.openssl(...args);
    expect(publicOf('x509', '-in', leaf, '-noout', '-pubkey')).toBe(
      publicOf('pkey', '-inform', 'DER', '-in', keyFile, '-pubout'),
    );
    expect(hand.openssl('verify', '-CAfile', hand.put('ca.pem', hand.est.caPem), leaf)).toContain('OK');
  });

  it('key and signature of the request are not looked at (RFC 7030 4.4.1); 501 where it is switched off', async () => {
    await hand.start({ labels: { off: { serverKey: 'off' } } });
    hand.request('/CN=dev-01', { key: ['rsa:1024'] });
    const broken = hand.read('csr.der');
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1;
    hand.put('csr.b64', broken.toString('base64'));
    expect((await hand.enrol('serverkeygen', BASIC)).status).toBe(200);
    expect((await hand.enrol('off/serverkeygen', BASIC)).status).toBe(501);
    expect((await hand.enrol('serverkeygen', [])).status).toBe(401);
    expect((await hand.curl(...BASIC, '--data', 'x', `${hand.est.url}/serverkeygen`)).status).toBe(415);
  });

  /** A request that names the key to encrypt with; unsigned, as its signature does not count. */
  function requestNaming(attribute: string, id: Buffer): void {
    hand.request('/CN=dev-01');
    const name = sequence(setOf(sequence(oid('2.5.4.3'), der(0x0c, Buffer.from('dev-01')))));
    const spki = createPrivateKey(hand.read('csr.key'));
    const publicKey = Buffer.from(
      hand.openssl('pkey', '-in', hand.at('csr.key'), '-pubout').replace(/-----[^-]+-----|\n/g, ''),
      'base64',
    );
    expect(spki.type).toBe('private');
    const attributes = tagged(0, sequence(oid(attribute), setOf(octets(id))));
    const info = sequence(der(0x02, Buffer.of(0)), name, publicKey, attributes);
    const whole = sequence(info, sequence(oid('1.2.840.10045.4.3.2')), der(0x03, Buffer.of(0, 0x30, 0)));
    hand.put('csr.b64', whole.toString('base64'));
  }

  /** The private key inside SignedData, whose signature openssl verifies. */
  function openSigned(signedData: Buffer): Buffer {
    const info = sequence(oid('1.2.840.113549.1.7.2'), tagged(0, signedData));
    const file = hand.put('signed.der', info);
    const out = hand.at('package.der');
    const trust = ['-CAfile', hand.put('ca.pem', hand.est.caPem), '-purpose', 'any'];
    hand.openssl('cms', '-verify', '-binary', '-inform', 'DER', '-in', file, '-out', out, ...trust);
    return hand.read('package.der');
  }

  it('encrypted with an AES key that both know: openssl cms decrypts and verifies it', async () => {
    const secret = 'ab'.repeat(32);
    await hand.start({ decryptKeys: { '0102': secret } });
    requestNaming('1.2.840.113549.1.9.16.2.37', Buffer.from('0102', 'hex'));
    const { status, head, text } = await hand.enrol('serverkeygen', BASIC);
    expect(status).toBe(200);
    const [key, certificates] = partsOf(head, text);
    expect(key?.type).toBe('application/pkcs7-mime; smime-type=server-generated-key');
    const file = hand.put('key.p7', key?.content ?? '');
    const secretArgs = ['-secretkey', secret, '-secretkeyid', '0102'];
    const out = hand.at('inner.der');
    hand.openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-in', file, '-out', out, ...secretArgs);
    const opened = openSigned(hand.read('inner.der'));
    const pkcs8 = opened.subarray(opened.length > 0x82 ? 3 : 2);
    const made = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    const leaf = new X509Certificate(hand.certificatesIn(certificates?.content.toString('base64') ?? ''));
    expect(leaf.checkPrivateKey(made)).toBe(true);
    requestNaming('1.2.840.113549.1.9.16.2.37', Buffer.from('0103', 'hex'));
    expect((await hand.enrol('serverkeygen', BASIC)).text).toContain('0103');
  });

  it('encrypted for the RSA key of the client certificate', async () => {
    await hand.start();
    hand.request('/CN=TEST rsa', { name: 'rsa', key: ['rsa:2048'] });
    const cert = await hand.enrolled(BASIC, { name: 'rsa' });
    const extension = hand.openssl('x509', '-in', cert, '-noout', '-ext', 'subjectKeyIdentifier');
    const id = Buffer.from(/([0-9A-F]{2}:)+[0-9A-F]{2}/.exec(extension)?.[0].replaceAll(':', '') ?? '', 'hex');
    requestNaming('1.2.840.113549.1.9.16.2.54', id);
    const shown = ['--cert', cert, '--key', hand.at('rsa.key')];
    const { status, head, text } = await hand.enrol('serverkeygen', shown);
    expect(status, text).toBe(200);
    const file = hand.put('key.p7', partsOf(head, text)[0]?.content ?? '');
    const out = hand.at('inner.der');
    const mine = ['-recip', cert, '-inkey', hand.at('rsa.key')];
    hand.openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-in', file, '-out', out, ...mine);
    expect(openSigned(hand.read('inner.der')).length).toBeGreaterThan(100);
    expect((await hand.enrol('serverkeygen', BASIC)).status, 'no such certificate').toBe(400);
  });
});

describe('fullcmc', () => {
  it('is 501 with a line of text, 415 for another type, 401 before both', async () => {
    await hand.start();
    const post = (type: string, ...args: string[]) =>
      hand.curl('-H', `content-type: ${type}`, '--data', 'x', ...args, `${hand.est.url}/fullcmc`);
    const answer = await post('application/pkcs7-mime; smime-type=CMC-request', ...BASIC);
    expect(answer.status).toBe(501);
    expect(answer.head).toMatch(/content-type: text\/plain/i);
    expect(answer.text).toMatch(/^this server does not offer Full CMC.*\n$/);
    expect((await post('application/pkcs10', ...BASIC)).status).toBe(415);
    expect((await post('application/pkcs7-mime')).status).toBe(401);
  });
});

describe('labels', () => {
  it('each has its authority, its way in and its policy; others are 404', async () => {
    await hand.start({
      labels: {
        open: { auth: { require: 'none' }, ca: 'open' },
        ca: { policy: { authority: { pathLength: 0 } } },
        server: { policy: { defaultPurposes: ['serverAuth'], allowedPurposes: ['serverAuth'] } },
        keys: { policy: { keys: { types: ['rsa'], shortestRsa: 3072 } } },
      },
    });
    hand.request('/CN=dev-01');
    const printed = async (label: string, args: readonly string[] = BASIC) =>
      hand.openssl('x509', '-in', await hand.enrolled(args, { operation: `${label}/simpleenroll` }), '-noout', '-text');
    expect(await printed('open', [])).toContain('Issuer: CN = TEST open CA');
    expect(hand.namesIn((await hand.curl(`${hand.est.url}/open/cacerts`)).text)).toEqual([
      'TEST open CA',
      'TEST root CA',
    ]);
    const authority = await printed('ca');
    expect(authority).toContain('CA:TRUE, pathlen:0');
    expect(authority).toContain('Certificate Sign, CRL Sign');
    expect(await printed('server')).toContain('TLS Web Server Authentication');
    expect((await hand.enrol('keys/simpleenroll', BASIC)).text).toContain('use rsa');
    expect((await hand.enrol('other/simpleenroll', BASIC)).status).toBe(404);
    hand.request('/CN=dev-01', { more: ['-addext', 'extendedKeyUsage=clientAuth'] });
    expect((await hand.enrol('server/simpleenroll', BASIC)).status).toBe(400);
    hand.request('/CN=dev-01', { key: ['rsa:2048'] });
    expect((await hand.enrol('keys/simpleenroll', BASIC)).text).toContain('3072');
  });

  it('may come and go while the server runs; an operation is no label', async () => {
    await hand.start({ labels: { one: {} } });
    await hand.est.setLabel('two', { auth: { require: 'none' } });
    hand.request('/CN=x');
    expect((await hand.enrol('two/simpleenroll', [])).status).toBe(200);
    hand.est.removeLabel('two');
    expect((await hand.enrol('two/simpleenroll', [])).status).toBe(404);
    await expect(hand.est.setLabel('cacerts', {})).rejects.toThrow('cacerts');
    await expect(hand.est.setLabel('three', { auth: {} })).rejects.toThrow('auth needs');
  });
});

describe('policy', () => {
  it('who is known but not permitted is refused with 403', async () => {
    await hand.start({ permitted: ['TEST good'] });
    hand.request('/CN=x');
    expect((await hand.enrol('simpleenroll', BASIC)).status).toBe(403);
    expect((await hand.enrol('simpleenroll', await hand.certificate('CN=TEST good'))).status).toBe(200);
    expect((await hand.enrol('simpleenroll', await hand.certificate('CN=TEST bad'))).status).toBe(403);
  });

  it('the common name can be bound to who asks', async () => {
    await hand.start({ policy: { subject: 'principal' } });
    hand.request('/CN=other');
    expect((await hand.enrol('simpleenroll', BASIC)).status).toBe(403);
    hand.request('/CN=device');
    expect((await hand.enrol('simpleenroll', BASIC)).status).toBe(200);
  });

  it('nothing outlives its authority, and an expired authority issues nothing', async () => {
    const clock = new ManualClock(Date.now());
    await hand.start({ clock, auth: { require: 'none' }, certificateLifetimeSeconds: 20 * 365 * 86_400 });
    hand.request('/CN=x');
    const [authority] = hand.est.caPem.split(/(?<=-----END CERTIFICATE-----\n)/);
    const leaf = new X509Certificate(hand.read((await hand.enrolled([])).slice(hand.folder.length + 1)));
    expect(leaf.validTo).toBe(new X509Certificate(authority ?? '').validTo);
    clock.turn(11 * 365 * 86_400_000);
    expect((await hand.enrol('simpleenroll', [])).status).toBe(503);
  });

  it('an ECDSA request for RSA-only purposes: other curves and hashes are refused, P-384 and Ed25519 are taken', async () => {
    await hand.start({ auth: { require: 'none' } });
    const status = async (key: string[], more: string[] = []) => {
      hand.request('/CN=x', { key, more });
      return (await hand.enrol('simpleenroll', [])).status;
    };
    expect(await status(['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], ['-sha384'])).toBe(200);
    expect(await status(['ed25519'])).toBe(200);
    expect(await status(['ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'])).toBe(400);
    expect(await status(P256, ['-sha1'])).toBe(400);
  });
});
