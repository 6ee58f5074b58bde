import { requestForAuthority } from './certificate-request.ts';
import type { TpmKeys } from './cloud.ts';
import { callUnix, type UnixAnswer } from './unix-call.ts';
import { IDS, type Secrets, type Way } from './ways.ts';

export interface FactoryFacts {
  readonly way: Way;
  readonly secrets: Secrets;
  readonly keydSocket: string;
  readonly certdSocket: string;
  readonly tpmdSocket: string;
}

/** What the device leaves the factory with, beyond its files. */
export interface FactoryResult {
  /** The certificate of the device's own CA. PEM. */
  readonly localCaPem: string | undefined;
  /** Where the device has a TPM. */
  readonly tpmKeys: TpmKeys | undefined;
  readonly done: string;
}

const KEYD_VERSION = 'api-version=2021-05-01';
const CERTD_VERSION = 'api-version=2020-09-01';

function member(answer: UnixAnswer, name: string, what: string): string {
  const value = (answer.body as Record<string, unknown> | undefined)?.[name];
  if (answer.status < 200 || answer.status > 299 || typeof value !== 'string') {
    throw new Error(`${what} was answered ${answer.status} ${answer.text}`);
  }
  return value;
}

async function makeLocalCa({ keydSocket, certdSocket }: FactoryFacts): Promise<string> {
  const certificate = `/certificates/${IDS.localCa}?${CERTD_VERSION}`;
  const known = await callUnix({ socketPath: certdSocket, method: 'GET', path: certificate });
  if (known.status === 200) return member(known, 'pem', 'GET /certificates/local-ca');
  const keyd = async (path: string, body: unknown, name: string) => {
    const answer = await callUnix({ socketPath: keydSocket, method: 'POST', path: `${path}?${KEYD_VERSION}`, body });
    return member(answer, name, `POST ${path} of keyd`);
  };
  const keyHandle = await keyd('/keypair', { keyId: IDS.localCa, preferredAlgorithms: 'ec-p256' }, 'keyHandle');
  const point = await keyd('/parameters/ec-point', { keyHandle }, 'value');
  const csr = await requestForAuthority('TEST CA of the device', {
    point: Buffer.from(point, 'base64'),
    sign: async (digest) => {
      const parameters = { digest: Buffer.from(digest).toString('base64') };
      return Buffer.from(await keyd('/sign', { keyHandle, algorithm: 'ECDSA', parameters }, 'signature'), 'base64');
    },
  });
  const issued = await callUnix({
    socketPath: certdSocket,
    method: 'POST',
    path: `/certificates?${CERTD_VERSION}`,
    body: { certId: IDS.localCa, csr },
  });
  return member(issued, 'pem', 'POST /certificates of certd');
}

/** What the maker of the device writes down for the operator of the cloud. */
async function readTpmKeys({ tpmdSocket }: FactoryFacts): Promise<TpmKeys> {
  const path = '/get_tpm_keys?api-version=2020-09-01';
  const answer = await callUnix({ socketPath: tpmdSocket, method: 'GET', path });
  return {
    endorsementKey: member(answer, 'endorsement_key', 'GET /get_tpm_keys of tpmd'),
    storageRootKey: member(answer, 'storage_root_key', 'GET /get_tpm_keys of tpmd'),
  };
}

/** Resolves to what was done. */
async function importKey({ keydSocket }: FactoryFacts, keyBytes: string): Promise<string> {
  const path = `/key/${IDS.device}?${KEYD_VERSION}`;
  if ((await callUnix({ socketPath: keydSocket, method: 'GET', path })).status === 200) return 'symmetric key found';
  const body = { keyId: IDS.device, usage: 'derive,sign', keyBytes };
  const imported = await callUnix({ socketPath: keydSocket, method: 'POST', path: `/key?${KEYD_VERSION}`, body });
  member(imported, 'keyHandle', 'POST /key of keyd');
  return 'symmetric key imported';
}

/**
 * What happens to a device before it meets the cloud: its symmetric key is put into keyd, or its own CA is made there.
 * What is there already stays.
 *
 * @throws Error naming the call that was refused, and the answer
 */
export async function equipDevice(facts: FactoryFacts): Promise<FactoryResult> {
  const { way, secrets } = facts;
  const nothing = { localCaPem: undefined, tpmKeys: undefined };
  if (way.factoryKey) {
    return { ...nothing, done: await importKey(facts, way.factoryKey(secrets)) };
  }
  if (way.attestation === 'tpm')
    return { ...nothing, tpmKeys: await readTpmKeys(facts), done: 'keys of the TPM noted' };
  if (way.issuer === 'local-ca') return { ...nothing, localCaPem: await makeLocalCa(facts), done: 'CA of its own' };
  return { ...nothing, done: 'bootstrap certificate of its maker' };
}
