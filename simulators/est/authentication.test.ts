import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../common/index.ts';
import { BASIC, ByHand, P256, PASSWORDS } from './testing/by-hand.ts';

let hand: ByHand;
beforeEach(async () => {
  hand = await ByHand.open();
});
afterEach(() => hand.close());

const DIGEST = ['--digest', ...BASIC];
const WRONG_DIGEST = ['--digest', '-u', 'device:wrong'];

describe('every way in, by curl', () => {
  it('a table of labels and credentials', async () => {
    const clientCas = [(await hand.pki.ca('bootstrap')).certificatePem];
    await hand.start({
      labels: {
        none: { auth: { require: 'none' } },
        basic: { auth: { basic: PASSWORDS } },
        digest: { auth: { digest: PASSWORDS } },
        cert: { auth: { clientCas } },
        both: { auth: { basic: PASSWORDS, clientCas, require: 'both' } },
        'digest-both': { auth: { digest: PASSWORDS, clientCas, require: 'both' } },
        either: { auth: { basic: PASSWORDS, digest: PASSWORDS, clientCas } },
      },
    });
    hand.request('/CN=dev-01');
    const certificate = await hand.certificate('CN=TEST factory');
    const ways: Record<string, readonly string[]> = {
      nothing: [],
      basic: BASIC,
      digest: DIGEST,
      certificate,
      'basic and certificate': [...BASIC, ...certificate],
      'digest and certificate': [...DIGEST, ...certificate],
      'wrong basic': ['-u', 'device:wrong'],
      'wrong digest': WRONG_DIGEST,
    };
    const table: Record<string, Record<string, number>> = {};
    for (const label of ['none', 'basic', 'digest', 'cert', 'both', 'digest-both', 'either']) {
      table[label] = {};
      for (const [way, args] of Object.entries(ways))
        table[label][way] = (await hand.enrol(`${label}/simpleenroll`, args)).status;
    }
    const row = (statuses: readonly number[]) =>
      Object.fromEntries(Object.keys(ways).map((way, at) => [way, statuses[at]]));
    // in the order of `ways`; curl --digest first posts an empty body and waits for a challenge: without one, that body is a 400
    expect(table).toEqual({
      none: row([200, 200, 400, 200, 200, 400, 200, 400]),
      basic: row([401, 200, 401, 401, 200, 401, 401, 401]),
      digest: row([401, 401, 200, 401, 401, 200, 401, 401]),
      cert: row([403, 403, 403, 200, 200, 400, 403, 403]),
      both: row([401, 401, 401, 401, 200, 401, 401, 401]),
      'digest-both': row([401, 401, 401, 401, 401, 200, 401, 401]),
      either: row([401, 200, 200, 200, 200, 400, 401, 401]),
    });
    expect(hand.est.journal.list().at(-1)?.reason).toContain('wrong password');
  });

  it('RSA client certificates, over TLS 1.2 and 1.3', async () => {
    await hand.start();
    hand.request('/CN=TEST rsa', { name: 'rsa', key: ['rsa:2048'] });
    const cert = await hand.enrolled(BASIC, { name: 'rsa' });
    const shown = ['--cert', cert, '--key', hand.at('rsa.key')];
    hand.request('/CN=dev-01');
    expect((await hand.enrol('simpleenroll', [...shown, '--tls-max', '1.2'])).status).toBe(200);
    expect((await hand.enrol('simpleenroll', [...shown, '--tlsv1.3'])).status).toBe(200);
  });

  it('a revoked certificate is refused and is in the list that openssl crl verifies', async () => {
    await hand.start();
    hand.request('/CN=dev-01');
    const cert = await hand.enrolled(BASIC);
    const shown = ['--cert', cert, '--key', hand.at('csr.key')];
    expect((await hand.enrol('simplereenroll', shown)).status).toBe(200);
    const serial = /serial=(\w+)/.exec(hand.openssl('x509', '-in', cert, '-noout', '-serial'))?.[1] ?? '';
    expect(hand.est.revoke(serial, 'keyCompromise')).toBe('revoked');
    expect(hand.est.revoke('00')).toBe('unknown');
    expect((await hand.enrol('simplereenroll', shown)).status).toBe(401);
    expect(hand.est.journal.list().at(-1)?.reason).toContain('revoked');
    const crl = ['crl', '-inform', 'DER', '-in', hand.put('list.crl', await hand.est.crl()), '-noout', '-text'];
    const printed = hand.openssl(...crl);
    expect(printed).toContain(`Serial Number: ${serial}`);
    expect(printed).toContain('Key Compromise');
    expect(hand.opensslTold(...crl, '-CAfile', hand.put('ca.pem', hand.est.caPem))).toContain('verify OK');
  });
});

describe('digest (RFC 7616)', () => {
  const challengeOf = async (label = '') => {
    const { head } = await hand.enrol(`${label}simpleenroll`, []);
    return [...head.matchAll(/^www-authenticate: (.*)\r$/gim)].map(([, value]) => value ?? '');
  };

  it('offers SHA-256 before MD5, with qop auth; curl takes the first', async () => {
    await hand.start({ auth: { digest: PASSWORDS, basic: PASSWORDS } });
    hand.request('/CN=x');
    const [first, second, third] = await challengeOf();
    expect(first).toMatch(/^Digest realm="TEST EST", qop="auth", algorithm=SHA-256, nonce="[^"]+"$/);
    expect(second).toContain('algorithm=MD5');
    expect(third).toBe('Basic realm="TEST EST", charset="UTF-8"');
    expect((await hand.enrol('simpleenroll', DIGEST)).status).toBe(200);
    const sent = hand.est.journal
      .list()
      .at(-1)
      ?.headers.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
    expect(sent).toMatch(/algorithm=SHA-256/);
  });

  it('an answer is taken once, for its own target, while its nonce lives, and stale is said where that is all', async () => {
    const clock = new ManualClock(Date.now());
    await hand.start({ auth: { digest: PASSWORDS }, clock });
    hand.request('/CN=x');
    await hand.enrol('simpleenroll', DIGEST);
    const header = hand.est.journal
      .list()
      .at(-1)
      ?.headers.find(([name]) => name.toLowerCase() === 'authorization')?.[1];
    const again = ['-H', `authorization: ${header}`];
    const replayed = await hand.enrol('simpleenroll', again);
    expect(replayed.status).toBe(401);
    expect(replayed.head).toContain('stale=true');
    expect((await hand.enrol('simplereenroll', again)).status).toBe(401);
    expect(hand.est.journal.list().at(-1)?.reason).toContain('request target');
    clock.turn(301_000);
    await hand.enrol('simpleenroll', again);
    expect(hand.est.journal.list().at(-1)?.reason).toContain('too old');
    const foreign = header?.replace(/nonce="[^"]+"/, 'nonce="x.y.z"') ?? '';
    expect((await hand.enrol('simpleenroll', ['-H', `authorization: ${foreign}`])).status).toBe(401);
  });
});

/** A TLS connection made by openssl s_client, and what it says of itself before anything is sent. */
function sClient(
  port: string,
  args: readonly string[],
): { told: (sign: RegExp) => Promise<string>; send: (text: string) => void; end: () => void } {
  const common = [
    's_client',
    '-connect',
    `localhost:${port}`,
    '-CAfile',
    hand.at('root.pem'),
    '-ign_eof',
    '-servername',
    'localhost',
  ];
  const child = spawn('openssl', [...common, ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  return {
    told: (sign) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = sign.exec(text)?.[1];
          if (found !== undefined) resolve(found);
        };
        look();
        child.stdout.on('data', look);
        child.once('exit', () => reject(new Error(`openssl s_client ended: ${text}`)));
      }),
    send: (line) => child.stdin.write(line),
    end: () => child.kill(),
  };
}

describe('possession tied to the connection (RFC 7030 3.5)', () => {
  const requestWith = (challenge: string | undefined) => {
    const attributes = challenge === undefined ? '' : `attributes = a\n[a]\nchallengePassword = ${challenge}\n`;
    const config = hand.put('req.cnf', `[req]\nprompt = no\ndistinguished_name = dn\n${attributes}[dn]\nCN = dev-01\n`);
    hand.openssl(
      'req',
      '-new',
      '-newkey',
      ...P256,
      '-nodes',
      '-keyout',
      hand.at('csr.key'),
      '-outform',
      'DER',
      '-out',
      hand.at('csr.der'),
      '-config',
      config,
    );
    return hand.put('csr.b64', hand.read('csr.der').toString('base64'));
  };

  async function enrolOver(args: readonly string[], binding: RegExp): Promise<string> {
    const { port } = new URL(hand.est.url);
    const client = sClient(port, args);
    try {
      const hex = (await client.told(binding)).replace(/\s/g, '');
      requestWith(Buffer.from(hex, 'hex').toString('base64'));
      const body = hand.read('csr.b64').toString();
      const basic = Buffer.from('device:s€cret').toString('base64');
      client.send(
        `POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${basic}\r\nContent-Type: application/pkcs10\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      return await client.told(/HTTP\/1\.1 (\d+)/);
    } finally {
      client.end();
    }
  }
  const FINISHED = />>> TLS 1\.2, Handshake \[length 0010\], Finished\s+14 00 00 0c((?: [0-9a-f]{2}){12})/;
  const EXPORTED = /Keying material: ([0-9A-F]{64})/;
  const EXPORT = ['-tls1_3', '-keymatexport', 'EXPORTER-Channel-Binding', '-keymatexportlen', '32'];

  it('tls-unique under TLS 1.2, tls-exporter under TLS 1.3, made by openssl s_client', async () => {
    await hand.start({ possession: 'required' });
    expect(await enrolOver(['-tls1_2', '-msg'], FINISHED)).toBe('200');
    expect(await enrolOver(EXPORT, EXPORTED)).toBe('200');
  });

  it('a value of another connection is refused, none too where it is required', async () => {
    await hand.start({
      possession: 'required',
      labels: { checked: { possession: 'checked' }, off: { possession: 'off' } },
    });
    requestWith(Buffer.alloc(12, 7).toString('base64'));
    const strange = await hand.enrol('simpleenroll', [...BASIC, '--tls-max', '1.2']);
    expect(strange.status).toBe(400);
    expect(strange.text).toContain('tls-unique');
    expect((await hand.enrol('simpleenroll', BASIC)).text).toContain('tls-exporter');
    expect((await hand.enrol('checked/simpleenroll', BASIC)).status).toBe(400);
    expect((await hand.enrol('off/simpleenroll', BASIC)).status).toBe(200);
    requestWith(undefined);
    expect((await hand.enrol('simpleenroll', BASIC)).text).toContain('is needed');
    expect((await hand.enrol('checked/simpleenroll', BASIC)).status).toBe(200);
    const attributes = await hand.curl(`${hand.est.url}/csrattrs`);
    const file = hand.put('attrs.der', Buffer.from(attributes.text, 'base64'));
    expect(hand.openssl('asn1parse', '-inform', 'DER', '-in', file)).toContain('challengePassword');
  });
});
