import { createPublicKey, X509Certificate } from 'node:crypto';
import { createTestPki } from '../../simulators/common/index.ts';
import { createEstSimulator } from '../../simulators/est/index.ts';
import { makeRequest } from './certificate-request.ts';
import { CERTD_V, Device, KEYD_V, until } from './device.ts';
import { seededRandom } from './seeded-random.ts';

/** Kills keyd or certd with SIGKILL `times` times while an identity that lives seconds is renewed over TLS; answers how often it was renewed. */
export async function killAndLook({ times, seed }: { times: number; seed: number }): Promise<number> {
  const random = seededRandom(seed);
  const pki = await createTestPki();
  const clientCas = [(await pki.ca('bootstrap')).certificatePem, (await pki.ca('est')).certificatePem];
  const est = await createEstSimulator({ pki, auth: { clientCas }, certificateLifetimeSeconds: 6 });
  const device = new Device();
  try {
    const boot = await pki.issueClientCertificate('CN=TEST factory');
    const file = (name: string, content: string) => device.file(name, content);
    device.configure(
      'keyd',
      `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n[preloaded_keys]\nboot = "file://${file('boot.key', boot.keyPem)}"`,
    );
    device.configure(
      'certd',
      `homedir_path = "${device.path('certd')}"
[cert_issuance]
device-id = { method = "est" }
[cert_issuance.est]
trusted_certs = ["root"]
identity_cert = "est-id"
identity_pk = "est-id"
bootstrap_identity_cert = "boot"
bootstrap_identity_pk = "boot"
identity_auto_renew = { threshold = "30%" }
[cert_issuance.est.urls]
default = "${est.url}"
[preloaded_certs]
root = "file://${file('root.pem', pki.root.certificatePem)}"
boot = "file://${file('boot.pem', boot.certPem)}"`,
    );
    await Promise.all([device.start('keyd'), device.start('certd')]);
    const csr = makeRequest(device.path('files'), '/CN=dev');
    const use = () => device.call('certd', 'POST', `/certificates?${CERTD_V}`, { certId: 'device-id', csr });
    const first = await use();
    if (first.status !== 201)
      throw new Error(`the first enrolment was answered ${first.status}\n${device.log('certd')}`);
    const seen = new Set<string>();
    for (let kill = 0; kill < times; kill++) {
      await new Promise((done) => setTimeout(done, random() * 1500));
      const victim = random() < 0.5 ? 'keyd' : 'certd';
      await device.stop(victim, 'SIGKILL');
      await device.start(victim);
      await until(
        async () => {
          const leaf = await fitting(device);
          if (leaf) seen.add(leaf.fingerprint256);
          return leaf !== undefined && leaf.validToDate.getTime() > Date.now();
        },
        20_000,
        () => `kill ${kill} of ${victim}, seed ${seed}: no valid identity with its key\n${device.log('certd')}`,
      );
    }
    const last = await use();
    if (last.status !== 201) throw new Error(`the last enrolment was answered ${last.status}\n${device.log('certd')}`);
    return seen.size;
  } finally {
    await device.close();
    await est.close();
  }
}

/** The identity's leaf when its key pair in keyd belongs to it. */
async function fitting(device: Device): Promise<X509Certificate | undefined> {
  try {
    const { body } = await device.call('certd', 'GET', `/certificates/est-id?${CERTD_V}`);
    const leaf = new X509Certificate(body.pem);
    const { keyHandle } = (await device.call('keyd', 'GET', `/keypair/est-id?${KEYD_V}`)).body;
    const point = await device.call('keyd', 'POST', `/parameters/ec-point?${KEYD_V}`, { keyHandle });
    const head = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex');
    const key = Buffer.concat([head, Buffer.from(point.body.value, 'base64')]);
    return createPublicKey({ key, format: 'der', type: 'spki' }).equals(leaf.publicKey) ? leaf : undefined;
  } catch {
    return undefined;
  }
}
