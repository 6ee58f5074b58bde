import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SharedWorld, World } from '../runner/index.ts';

const run = promisify(execFile);

/** The caller that has principals in the certd world. */
export const USER = 4001;
export const STRANGER = 4002;

/** Makes a key and a self-signed CA with the openssl command, as `pre/<name>.key` and `pre/<name>.pem`. */
export async function makeCa(world: World, name: string, subject: string): Promise<void> {
  const files = ['-keyout', world.path('pre', `${name}.key`), '-out', world.path('pre', `${name}.pem`)];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await run('openssl', ['req', '-x509', '-sha256', '-days', '365', '-subj', subject, ...key, ...files]);
}

/** A request for a fresh P-256 key, PEM; the key is not kept. */
export async function makeCsr(world: World, subject: string): Promise<string> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null'];
  const { stdout } = await run('openssl', ['req', '-new', '-sha256', '-subj', subject, ...key], { cwd: world.root });
  return stdout;
}

const CERTD = `homedir_path = "@ROOT@/certd/home"
[cert_issuance]
by-ca = { method = "local_ca" }
self = { method = "self_signed" }
cn-long = { method = "local_ca", common_name = "${'x'.repeat(70)}" }
[cert_issuance.local_ca]
cert = "local-ca"
pk = "ca"
[preloaded_certs]
local-ca = "file://@ROOT@/pre/ca.pem"
gone = "file://@ROOT@/pre/gone.pem"
bundle = ["gone", "local-ca"]
web = "https://127.0.0.1/x.pem"
[[principal]]
uid = ${USER}
certs = ["dev*", "a?c"]
`;

/** A certd with a local CA whose key is in keyd, and one principal. */
export const certdWithLocalCa: SharedWorld = {
  name: 'certd with a local CA',
  async build(world) {
    await makeCa(world, 'ca', '/O=TEST/CN=TEST local CA');
    const keyd = '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n[preloaded_keys]\nca = "file://@ROOT@/pre/ca.key"\n';
    await world.configure('keyd', { main: keyd });
    const second = `[[principal]]\nuid = ${USER}\ncerts = ["second"]\n`;
    await world.configure('certd', { main: CERTD, dropIns: { '20-second.toml': second } });
    await world.start('keyd');
    await world.start('certd');
  },
};
