import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { CertdClient } from '../../clients/index.ts';
import { ClientError } from '../../ipc/index.ts';
import { formatChain, issueCertificate, parseCsr, softwareSigner } from '../../x509/index.ts';

/** certd in memory: issues self-named certificates signed by a key of its own. */
export interface FakeCertd extends CertdClient {
  readonly certificates: Map<string, string>;
  /** PEM of the requests by certificate id. */
  readonly requests: Map<string, string>;
  outage: ClientError | undefined;
}

const ca = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

/** Makes one without certificates. `now` is Unix milliseconds. */
export function createFakeCertd(now: () => number): FakeCertd {
  const certificates = new Map<string, string>();
  const requests = new Map<string, string>();
  const check = () => {
    if (fake.outage) throw fake.outage;
  };
  const fake: FakeCertd = {
    certificates,
    requests,
    outage: undefined,
    async get(id) {
      check();
      const pem = certificates.get(id);
      if (pem === undefined) throw new ClientError('refused', 'parameter "id" has an invalid value', { status: 400 });
      return pem;
    },
    async create(id, pem) {
      check();
      requests.set(id, pem);
      const csr = await parseCsr(pem);
      const signer = softwareSigner(ca.privateKey, ca.publicKey);
      const serial = randomBytes(16);
      const issued = await issueCertificate({
        csr,
        issuerChain: [],
        signer,
        now: now(),
        lifetimeSeconds: 86_400,
        serial,
      });
      certificates.set(id, formatChain([issued]));
      return formatChain([issued]);
    },
    async import(id, pem) {
      check();
      certificates.set(id, pem);
    },
    async delete(id) {
      check();
      certificates.delete(id);
    },
    close: async () => undefined,
  };
  return fake;
}
