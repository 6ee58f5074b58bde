import { exchange, expectStatus, stringMember, type WireResult, type World } from '../runner/index.ts';

/** Calls certd as one uid. */
export class Caller {
  readonly #world: World;
  readonly #uid: number;

  constructor(world: World, uid = 0) {
    this.#world = world;
    this.#uid = uid;
  }

  call(method: string, path: string, body?: unknown): Promise<WireResult> {
    const target = `${path}?api-version=2020-09-01`;
    return exchange(this.#world.socket('certd'), this.#uid, { method, target, body });
  }

  get(id: string): Promise<WireResult> {
    return this.call('GET', `/certificates/${encodeURIComponent(id)}`);
  }

  put(id: string, pem: string): Promise<WireResult> {
    return this.call('PUT', `/certificates/${encodeURIComponent(id)}`, { pem });
  }

  delete(id: string): Promise<WireResult> {
    return this.call('DELETE', `/certificates/${encodeURIComponent(id)}`);
  }

  issue(certId: string, csr: string, issuer?: unknown): Promise<WireResult> {
    return this.call('POST', '/certificates', { certId, csr, ...(issuer === undefined ? {} : { issuer }) });
  }

  /** Issues and gives the certificates of the answer, leaf first, as PEM blocks. */
  async issued(certId: string, csr: string): Promise<string[]> {
    const pem = stringMember(expectStatus(await this.issue(certId, csr), 201), 'pem');
    return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
  }
}
