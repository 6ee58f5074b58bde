import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestPki, type TestPki } from '../simulators/common/index.ts';
import { createDpsSimulator, type DpsOptions, type DpsSimulator } from '../simulators/dps/index.ts';
import { createHubSimulator, type HubOptions, type HubSimulator } from '../simulators/hub/index.ts';

const AZIOTD = new URL('../impl/bin/aziotd', import.meta.url).pathname;
/** The key of the device and of its symmetric enrolment. */
export const DEVICE_KEY = Buffer.alloc(32, 4);

type Name = 'keyd' | 'certd' | 'identityd';

/** An answer of a daemon. */
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly body: any;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Three real daemons beside a simulated cloud. */
export interface IdentityWorld {
  readonly folder: string;
  readonly pki: TestPki;
  readonly dps: DpsSimulator;
  readonly hub: HubSimulator;
  /** Writes a daemon's configuration; endpoints are added. */
  configure(name: Name, text: string): Promise<void>;
  write(name: string, text: string | Uint8Array): Promise<string>;
  read(name: string): Promise<string | undefined>;
  /** Starts a daemon and resolves when its socket answers. */
  start(name: Name, env?: Readonly<Record<string, string>>): Promise<void>;
  /** Stops or kills it and waits for its end. */
  stop(name: Name, signal?: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  call(name: Name, method: string, target: string, body?: unknown, signal?: AbortSignal): Promise<Answer>;
  log(name: Name): string;
  /** Resolves when the daemon's log has the text. */
  logs(name: Name, text: string): Promise<void>;
  /** Ends the simulated cloud: from now on its addresses refuse connections. */
  unplug(): Promise<void>;
  close(): Promise<void>;
}

const VERSION: Readonly<Record<Name, string>> = { keyd: '2021-05-01', certd: '2020-09-01', identityd: '2022-08-01' };

function exchange(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const asking = request({ socketPath, method, path, headers, ...(signal ? { signal } : {}) }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const told = text === '' ? undefined : JSON.parse(text);
        resolve({ status: answer.statusCode ?? 0, body: told, headers: answer.headers });
      });
    });
    asking.on('error', reject);
    asking.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Makes the cloud and an empty device. */
export async function createIdentityWorld(
  options: { readonly hub?: Partial<HubOptions>; readonly dps?: Partial<DpsOptions> } = {},
): Promise<IdentityWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'aziot-identity-'));
  const pki = await createTestPki({});
  await writeFile(join(folder, 'root.pem'), pki.root.certificatePem);
  const hub = await createHubSimulator({ pki, ...options.hub });
  const dps = await createDpsSimulator({
    ...{ pki, hubs: [hub.link], assigningPolls: 0, retryAfterSeconds: 1 },
    ...options.dps,
  });
  let unplugged = false;
  const running = new Map<Name, ChildProcess>();
  const output = new Map<Name, string>();
  const socket = (name: Name) => join(folder, `${name}.sock`);
  const call: IdentityWorld['call'] = (name, method, target, body, signal) =>
    exchange(
      socket(name),
      method,
      `${target}${target.includes('?') ? '&' : '?'}api-version=${VERSION[name]}`,
      body,
      signal,
    );

  async function untilTrue(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
    const end = Date.now() + 30_000;
    while (!(await look())) {
      if (Date.now() > end) throw new Error(`waited in vain for ${what}\n${[...output.values()].join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  const world: IdentityWorld = {
    folder,
    pki,
    dps,
    hub,
    async configure(name, text) {
      await mkdir(join(folder, `${name}.d`), { recursive: true });
      await mkdir(join(folder, `${name}-home`), { recursive: true });
      const names: Name[] = ['keyd', 'certd', 'identityd'];
      const endpoints = names.map((each) => `aziot_${each} = "unix://${socket(each)}"\n`).join('');
      await writeFile(join(folder, `${name}.toml`), `${text}\n[endpoints]\n${endpoints}`);
    },
    async write(name, text) {
      const path = join(folder, name);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    },
    read: (name) => readFile(join(folder, name), 'utf8').catch(() => undefined),
    async start(name, env = {}) {
      const variable = `AZIOT_${name.toUpperCase()}_CONFIG`;
      const child = spawn(AZIOTD, [name], {
        env: {
          PATH: process.env['PATH'] ?? '',
          SSL_CERT_FILE: join(folder, 'root.pem'),
          [variable]: join(folder, `${name}.toml`),
          [`${variable}_DIR`]: join(folder, `${name}.d`),
          ...env,
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      output.set(name, '');
      child.stderr.on('data', (chunk: Buffer) => output.set(name, (output.get(name) ?? '') + chunk.toString()));
      running.set(name, child);
      await untilTrue(`${name} to answer`, async () => {
        if (child.exitCode !== null) throw new Error(`${name} ended:\n${output.get(name)}`);
        return call(name, 'GET', '/nothing').then(
          () => true,
          () => false,
        );
      });
    },
    async stop(name, signal = 'SIGTERM') {
      const child = running.get(name);
      if (!child || child.exitCode !== null) return;
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') {
        child.kill(signal);
        return;
      }
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill(signal);
      await ended;
      running.delete(name);
    },
    call,
    log: (name) => output.get(name) ?? '',
    logs: (name, text) => untilTrue(`"${text}" in the log of ${name}`, () => (output.get(name) ?? '').includes(text)),
    async unplug() {
      if (unplugged) return;
      unplugged = true;
      await dps.close();
      await hub.close();
    },
    async close() {
      for (const name of [...running.keys()]) await world.stop(name, 'SIGKILL');
      await world.unplug();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return world;
}

/** `[provisioning]` of a symmetric enrolment `Reg-01`. */
export function symmetricProvisioning(world: IdentityWorld, registrationId = 'Reg-01'): string {
  return (
    `[provisioning]\nsource = "dps"\nglobal_endpoint = "${world.dps.url}"\nscope_id = "${world.dps.scopeId}"\n` +
    `[provisioning.attestation]\nmethod = "symmetric_key"\nregistration_id = "${registrationId}"\nsymmetric_key = "device-id"\n`
  );
}

/** `[provisioning]` of an X.509 enrolment with the ids `idcert` and `idkey`; `more` are further lines of the attestation. */
export function x509Provisioning(world: IdentityWorld, registrationId: string, more = ''): string {
  return (
    `[provisioning]\nsource = "dps"\nglobal_endpoint = "${world.dps.url}"\nscope_id = "${world.dps.scopeId}"\n` +
    `[provisioning.attestation]\nmethod = "x509"\nregistration_id = "${registrationId}"\nidentity_cert = "idcert"\nidentity_pk = "idkey"\n${more}`
  );
}

/** Three daemons' configurations for a device whose certificate certd issues by a local CA that a DPS group trusts. */
export async function configureIssuedDevice(world: IdentityWorld, registrationId: string, more = ''): Promise<void> {
  const ca = await world.pki.ca('device');
  const key = await world.write('ca.key', ca.keyPem);
  const certificate = await world.write('ca.pem', ca.certificatePem);
  world.dps.enrollments.addGroup({ groupId: 'group', attestation: { type: 'x509', caPem: [ca.certificatePem] } });
  await configureKeyd(world, { 'local-ca': `file://${key}` });
  await configureCertd(world, ['idcert', 'idcert-temp', 'l1'], `file://${certificate}`);
  await configureIdentityd(world, x509Provisioning(world, registrationId, more), ['m1']);
}

/** `[provisioning]` of a manual device with a symmetric key. */
export function manualProvisioning(hubName: string, deviceId = 'Dev-01'): string {
  return (
    `[provisioning]\nsource = "manual"\niothub_hostname = "${hubName}"\ndevice_id = ${JSON.stringify(deviceId)}\n` +
    '[provisioning.authentication]\nmethod = "sas"\ndevice_id_pk = "device-id"\n'
  );
}

/** Enrols `Reg-01` as the device `Dev-A`. */
export function enrolSymmetric(world: IdentityWorld): void {
  world.dps.enrollments.addIndividual({
    registrationId: 'Reg-01',
    deviceId: 'Dev-A',
    attestation: {
      type: 'symmetricKey',
      primaryKey: DEVICE_KEY.toString('base64'),
      secondaryKey: Buffer.alloc(32, 5).toString('base64'),
    },
  });
}

/** Registers the manual device in the hub. */
export function registerManual(world: IdentityWorld, deviceId = 'Dev-01'): void {
  const authentication = { type: 'sas', primaryKey: DEVICE_KEY.toString('base64') } as const;
  world.hub.registry.upsertDevice({ deviceId, authentication });
}

/** The uid that the daemons and the tests run as. */
const UID = process.getuid?.() ?? 0;

/** keyd with the device key preloaded, and rights for identityd and certd. */
export async function configureKeyd(
  world: IdentityWorld,
  preloaded: Readonly<Record<string, string>> = {},
): Promise<void> {
  const device = await world.write('device-id.bin', DEVICE_KEY);
  const keys = Object.entries({ 'device-id': `file://${device}`, ...preloaded });
  await world.configure(
    'keyd',
    `[aziot_keys]\nhomedir_path = "${world.folder}/keyd-home"\n[preloaded_keys]\n${keys
      .map(([id, uri]) => `${id} = "${uri}"\n`)
      .join('')}\n[[principal]]\nuid = ${UID}\nkeys = ["*"]\n`,
  );
}

/** certd with a local CA, `local-ca`, that issues for every id named; its certificate is the file of this URI. */
export async function configureCertd(
  world: IdentityWorld,
  ids: readonly string[],
  caUri: string,
  preloaded: Readonly<Record<string, string>> = {},
): Promise<void> {
  const issuance = ids.map((id) => `${id} = { method = "local_ca", expiry_days = 30 }\n`).join('');
  await world.configure(
    'certd',
    `homedir_path = "${world.folder}/certd-home"\n[cert_issuance]\nlocal_ca = { cert = "local-ca", pk = "local-ca" }\n${issuance}\n` +
      `[preloaded_certs]\nlocal-ca = "${caUri}"\n${Object.entries(preloaded)
        .map(([id, uri]) => `${id} = "${uri}"\n`)
        .join('')}[[principal]]\nuid = ${UID}\ncerts = ["*"]\n`,
  );
}

/** identityd with this `[provisioning]` and these modules. */
export async function configureIdentityd(
  world: IdentityWorld,
  provisioning: string,
  modules: readonly string[],
): Promise<void> {
  const principals = modules.map(
    (name, index) => `[[principal]]\nuid = ${64_000 + index}\nname = "${name}"\nidtype = ["module"]\n`,
  );
  await world.configure(
    'identityd',
    `hostname = "test-device"\nhomedir = "${world.folder}/identityd-home"\ncloud_retries = 0\n${provisioning}\n${principals.join('')}\n[localid]\ndomain = "example.org"\n`,
  );
}
