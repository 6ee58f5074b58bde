import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, ECDH, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCsr } from '../impl/x509/index.ts';
import { makeRequest } from './support/certificate-request.ts';
import { CERTD_V, Device, KEYD_V, softHsmModule } from './support/device.ts';

const DAY_MS = 86_400_000;
const CURVES = ['p384', 'p521'] as const;

let device: Device;

const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
const tool = (...args: string[]) =>
  execFileSync('pkcs11-tool', ['--module', softHsmModule ?? '', '--login', '--pin', '1234', ...args], {
    env: { ...process.env, ...device.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

/** A CA made outside, its private key then put into the token under `label`; answers the path of its certificate. */
function authorityInToken(label: 'p384' | 'p521', id: string): string {
  const key = device.path('files', `${label}.key`);
  const certificate = device.path('files', `${label}.pem`);
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${label.replace('p', 'P-')}`, '-out', key);
  openssl('req', '-x509', '-key', key, '-subj', `/CN=TEST ${label}`, '-days', '365', '-out', certificate);
  openssl('pkey', '-in', key, '-outform', 'DER', '-out', `${key}.der`);
  openssl('pkey', '-in', key, '-pubout', '-outform', 'DER', '-out', `${key}.pub`);
  const named = ['--label', label, '--id', id];
  tool('--write-object', `${key}.der`, '--type', 'privkey', '--usage-sign', ...named);
  tool('--write-object', `${key}.pub`, '--type', 'pubkey', '--usage-sign', ...named);
  return certificate;
}

describe.skipIf(!softHsmModule)('an issuer whose key is in a token (skipped without SoftHSM)', () => {
  beforeAll(() => {
    device = new Device();
  });
  afterAll(() => device.close());

  test('CS-052: P-384 and P-521 by label, by preloaded URI, and by the local CA', async () => {
    const parameters = device.token();
    const authorities = CURVES.map((id, index) => ({ id, certificate: authorityInToken(id, `0${index + 1}`) }));
    tool('--keypairgen', '--key-type', 'EC:secp384r1', '--label', 'born-there', '--id', '09', '--usage-sign');
    const preloaded = authorities.map(({ id }) => `uri-${id} = "pkcs11:token=device;object=${id}?pin-value=1234"`);
    device.configure(
      'keyd',
      `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n${parameters}\n[preloaded_keys]\n${preloaded.join('\n')}`,
    );
    const preloadedCerts = authorities.map(({ id, certificate }) => `ca-${id} = "file://${certificate}"`);
    device.configure(
      'certd',
      `homedir_path = "${device.path('certd')}"
[cert_issuance]
local_ca = { cert = "ca-p384", pk = "p384" }
by-local-ca = { method = "local_ca" }
born-there = { method = "self_signed" }
[preloaded_certs]
${preloadedCerts.join('\n')}`,
    );
    await Promise.all([device.start('keyd'), device.start('certd')]);
    const csr = makeRequest(device.path('files'), '/CN=device');
    for (const { id, certificate } of authorities) {
      const authority = new X509Certificate(readFileSync(certificate));
      for (const keyId of [id, `uri-${id}`]) {
        const loaded = await device.call('keyd', 'GET', `/keypair/${keyId}?${KEYD_V}`);
        expect(loaded.status, keyId).toBe(200);
        const issuer = { certId: `ca-${id}`, privateKeyHandle: loaded.body.keyHandle };
        const answer = await device.call('certd', 'POST', `/certificates?${CERTD_V}`, { certId: 'leaf', csr, issuer });
        expect(answer.status, `${keyId}: ${JSON.stringify(answer.body)} ${device.log('certd')}`).toBe(201);
        const leaf = new X509Certificate(answer.body.pem);
        expect(leaf.verify(authority.publicKey), keyId).toBe(true);
        expect(leaf.validToDate.getTime()).toBeGreaterThan(Date.now() + 29 * DAY_MS);
      }
    }
    const local = await device.call('certd', 'POST', `/certificates?${CERTD_V}`, { certId: 'by-local-ca', csr });
    expect(local.status, JSON.stringify(local.body)).toBe(201);

    // a pair that never left the token: its own request, signed by keyd, then its own certificate
    const { keyHandle } = (await device.call('keyd', 'GET', `/keypair/born-there?${KEYD_V}`)).body;
    const shown = await device.call('keyd', 'POST', `/parameters/ec-point?${KEYD_V}`, { keyHandle });
    const point = ECDH.convertKey(shown.body.value, 'secp384r1', 'base64', undefined, 'uncompressed') as Buffer;
    const [x, y] = [point.subarray(1, 49), point.subarray(49)].map((half) => half.toString('base64url')) as [
      string,
      string,
    ];
    const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-384', x, y }, format: 'jwk' });
    const sign = async (tbs: Uint8Array) => {
      const digest = createHash('sha256').update(tbs).digest('base64');
      const body = { keyHandle, algorithm: 'ECDSA', parameters: { digest } };
      return Buffer.from((await device.call('keyd', 'POST', `/sign?${KEYD_V}`, body)).body.signature, 'base64');
    };
    const signer = { publicKey, signatureAlgorithm: 'ecdsa-with-SHA256', sign } as const;
    const own = await createCsr({ subject: [['CN', 'TEST born there']], signer });
    const root = await device.call('certd', 'POST', `/certificates?${CERTD_V}`, { certId: 'born-there', csr: own });
    expect(root.status, JSON.stringify(root.body)).toBe(201);
    expect(new X509Certificate(root.body.pem).verify(publicKey)).toBe(true);
    const issuer = { certId: 'born-there', privateKeyHandle: keyHandle };
    const below = await device.call('certd', 'POST', `/certificates?${CERTD_V}`, { certId: 'below', csr, issuer });
    expect(below.status, JSON.stringify(below.body)).toBe(201);
    expect(new X509Certificate(below.body.pem).verify(publicKey)).toBe(true);
  }, 60_000);
});
