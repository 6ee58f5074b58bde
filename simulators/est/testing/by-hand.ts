import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestPki, type TestPki } from '../../common/index.ts';
import { createEstSimulator, type EstSimulator, type EstSimulatorOptions } from '../index.ts';

export const P256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
export const PASSWORDS = [{ username: 'device', password: 's€cret' }];
export const BASIC = ['-u', 'device:s€cret'];

/** What curl got. */
export interface HandAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: Buffer;
  readonly text: string;
}

/** A server, a folder, and the two programs that a person would use against it. */
export class ByHand {
  readonly folder = mkdtempSync(join(tmpdir(), 'est-'));
  readonly pki: TestPki;
  #est: EstSimulator | undefined;

  private constructor(pki: TestPki) {
    this.pki = pki;
    this.put('root.pem', pki.root.certificatePem);
  }

  static async open(): Promise<ByHand> {
    return new ByHand(await createTestPki());
  }

  get est(): EstSimulator {
    if (!this.#est) throw new Error('no server was started');
    return this.#est;
  }

  /** Starts a server in place of the one before; by password or by a certificate of its own or of the bootstrap authority. */
  async start(options: Partial<EstSimulatorOptions> = {}): Promise<EstSimulator> {
    await this.#est?.close();
    const clientCas = [(await this.pki.ca('bootstrap')).certificatePem, (await this.pki.ca('est')).certificatePem];
    this.#est = await createEstSimulator({ pki: this.pki, auth: { basic: PASSWORDS, clientCas }, ...options });
    return this.#est;
  }

  async close(): Promise<void> {
    await this.#est?.close();
    rmSync(this.folder, { recursive: true });
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  put(name: string, content: string | Buffer): string {
    writeFileSync(this.at(name), content);
    return this.at(name);
  }

  read(name: string): Buffer {
    return readFileSync(this.at(name));
  }

  openssl(...args: string[]): string {
    return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** Standard output and error together, also of a run that fails. */
  opensslTold(...args: string[]): string {
    const { stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
    return stdout + stderr;
  }

  /** A request in `NAME.der`, its base64 in `NAME.b64`, its key in `NAME.key`. */
  request(subject: string, { name = 'csr', key = P256, more = [] as readonly string[] } = {}): string {
    const where = ['-keyout', this.at(`${name}.key`), '-outform', 'DER', '-out', this.at(`${name}.der`)];
    this.openssl('req', '-new', '-newkey', ...key, '-nodes', '-subj', subject, ...where, ...more);
    return this.put(`${name}.b64`, this.read(`${name}.der`).toString('base64'));
  }

  /** Runs curl in a process that leaves this event loop free to serve it. */
  curl(...args: string[]): Promise<HandAnswer> {
    const into = ['-D', this.at('head'), '-o', this.at('body'), '-w', '%{http_code}'];
    this.put('body', '');
    return new Promise((resolve, reject) => {
      execFile('curl', ['-sS', '--cacert', this.at('root.pem'), ...into, ...args], (error, stdout, stderr) => {
        if (error) reject(new Error(stderr));
        else {
          const body = this.read('body');
          resolve({ status: Number(stdout), head: this.read('head').toString(), body, text: body.toString('utf8') });
        }
      });
    });
  }

  /** Posts `NAME.b64`; a label may stand before the operation. */
  enrol(operation: string, args: readonly string[], name = 'csr'): Promise<HandAnswer> {
    const type = ['-H', 'content-type: application/pkcs10', '--data-binary', `@${this.at(`${name}.b64`)}`];
    return this.curl(...type, ...args, `${this.est.url}/${operation}`);
  }

  /** The arguments that make curl show a certificate. */
  async certificate(subject: string, caName = 'bootstrap'): Promise<string[]> {
    const { certPem, keyPem } = await this.pki.issueClientCertificate(subject, { caName });
    return ['--cert', this.put('client.pem', certPem), '--key', this.put('client.key', keyPem)];
  }

  /** Certificates of a base64 PKCS#7 answer as openssl prints them, PEM. */
  certificatesIn(text: string): string {
    const message = this.put('answer.p7', Buffer.from(text, 'base64'));
    return this.openssl('pkcs7', '-inform', 'DER', '-in', message, '-print_certs');
  }

  /** Enrols and keeps the leaf as `NAME.pem`. */
  async enrolled(args: readonly string[], { name = 'csr', operation = 'simpleenroll' } = {}): Promise<string> {
    const { status, text } = await this.enrol(operation, args, name);
    if (status !== 200) throw new Error(`${status}: ${text}`);
    return this.put(`${name}.pem`, this.certificatesIn(text));
  }

  /** Common names of the certificates of an answer, in order. */
  namesIn(text: string): (string | undefined)[] {
    return [...this.certificatesIn(text).matchAll(/subject=.*?CN = ([^,\n]+)/g)].map(([, name]) => name);
  }
}
