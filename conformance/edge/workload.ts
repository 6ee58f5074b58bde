import { generateKeyPair, sign, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import {
  alternativeNames,
  CLIENT_AUTH,
  certificateRequest,
  extendedKeyUsage,
  SERVER_AUTH,
} from './certificate-request.ts';
import { bodyText, CA, hasStatus, text } from './edge-ca.ts';
import type { EdgeClient, EdgeResult } from './edge-client.ts';
import type { EdgeDevice } from './edge-daemon.ts';

const MASTER = 'iotedge_master_encryption_id';

/** A module that talks to the workload API. */
export interface Module {
  readonly moduleId: string;
  readonly genId: string;
}

/** A certificate that a module was given: chain in PEM, leaf first, and the certId that certd keeps it under. */
export interface IssuedCertificate {
  readonly chain: string;
  readonly leaf: X509Certificate;
  readonly certId: string;
}

/** The calls of the workload API, as the daemon serves them (edge-runtime.md 5). Nothing is cached. */
export class Workload {
  readonly #client: EdgeClient;

  constructor(client: EdgeClient) {
    this.#client = client;
  }

  /** The digest over base64 data under the module's key, or what refused it. */
  async sign(moduleId: string, data: string): Promise<EdgeResult> {
    const identity = await this.#client.ask('identityd', 'GET', `/identities/modules/${moduleId}?type=aziot`);
    if (!hasStatus(identity, 200)) return identity;
    const keyHandle = moduleKeyHandle(identity);
    if (keyHandle === undefined) throw new Error(`the identity of ${moduleId} has no key handle: ${text(identity)}`);
    return this.#client.ask('keyd', 'POST', '/sign', {
      keyHandle,
      algorithm: 'HMAC-SHA256',
      parameters: { message: data },
    });
  }

  /** `plaintext` and `iv` are base64. */
  encrypt({ moduleId, genId }: Module, plaintext: string, iv: string): Promise<EdgeResult> {
    return this.#crypt('/encrypt', { moduleId, genId }, iv, { plaintext });
  }

  decrypt({ moduleId, genId }: Module, ciphertext: string, iv: string): Promise<EdgeResult> {
    return this.#crypt('/decrypt', { moduleId, genId }, iv, { ciphertext });
  }

  identityCertificate(moduleId: string, { hubName, deviceId }: EdgeDevice): Promise<IssuedCertificate> {
    const uri = `URI: azureiot://${hubName}/devices/${deviceId}/modules/${moduleId}`;
    const extensions = [extendedKeyUsage(CLIENT_AUTH), alternativeNames([uri])];
    return this.#certificate(`aziot-edged/module/${moduleId}:identity`, moduleId, extensions);
  }

  serverCertificate({ moduleId, genId }: Module, commonName: string): Promise<IssuedCertificate> {
    const plain = moduleId.replace(/^\$/, '');
    const extensions = [extendedKeyUsage(SERVER_AUTH), alternativeNames([commonName, plain.toLowerCase()])];
    return this.#certificate(`aziot-edged/module/${plain}:${genId}:server`, commonName, extensions);
  }

  /** The PEM of the trust bundle; undefined where certd does not give it. */
  async trustBundle(): Promise<string | undefined> {
    return bodyText(await this.#client.ask('certd', 'GET', '/certificates/aziot-edged-trust-bundle'), 'pem');
  }

  manifestTrustBundle(): Promise<EdgeResult> {
    return this.#client.ask('certd', 'GET', '/certificates/aziot-edged-manifest-trust-bundle');
  }

  async #crypt(path: string, { moduleId, genId }: Module, iv: string, content: object): Promise<EdgeResult> {
    const key = await this.#client.ask('keyd', 'POST', '/key', { keyId: MASTER, keyBytes: null, usage: 'encrypt' });
    if (!hasStatus(key, 200)) return key;
    const aad = Buffer.from(`${moduleId}${genId}`).toString('base64');
    const parameters = { iv, aad };
    return this.#client.ask('keyd', 'POST', path, {
      keyHandle: bodyText(key, 'keyHandle'),
      algorithm: 'AEAD',
      parameters,
      ...content,
    });
  }

  async #certificate(certId: string, commonName: string, extensions: readonly Buffer[]): Promise<IssuedCertificate> {
    const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
    const csr = await certificateRequest({
      commonName,
      publicKey: publicKey.export({ type: 'spki', format: 'der' }),
      extensions,
      sign: (bytes) => sign('sha256', bytes, privateKey),
    });
    const pair = await this.#client.ask('keyd', 'GET', `/keypair/${CA}`);
    const privateKeyHandle = bodyText(pair, 'keyHandle');
    if (!hasStatus(pair, 200)) throw new Error(`no key of the edge CA: ${text(pair)}`);
    const issuer = { certId: CA, privateKeyHandle };
    const issued = await this.#client.ask('certd', 'POST', '/certificates', { certId, csr, issuer });
    const chain = bodyText(issued, 'pem');
    if (!hasStatus(issued, 201) || chain === undefined) throw new Error(`no certificate ${certId}: ${text(issued)}`);
    return { chain, leaf: new X509Certificate(chain), certId };
  }
}

/** The key handle in a module identity. */
export function moduleKeyHandle(identity: EdgeResult): string | undefined {
  if (identity.kind !== 'answer') return undefined;
  const spec = identity.body['spec'] as { auth?: { keyHandle?: unknown } } | undefined;
  const handle = spec?.auth?.keyHandle;
  return typeof handle === 'string' ? handle : undefined;
}
