import { execFileSync } from 'node:child_process';
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCertd } from '../../impl/certificates/index.ts';
import { startKeyd } from '../../impl/keys/index.ts';
import { createLogger, type RunningDaemon } from '../../impl/process/index.ts';
import { ManualClock } from '../../simulators/common/index.ts';
import { type PlainEst, startPlainEst } from './plain-est.ts';
import { Life } from './power-cut.ts';
import { seededRandom } from './seeded-random.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const LIFETIME_SECONDS = 2 * 86_400;
const START = Date.UTC(2026, 0, 1);

/** What a run of simulated time came to. */
export interface YearsReport {
  readonly issued: number;
  readonly powerCuts: number;
  /** Times at which the identity had expired although its server had been reachable for a tenth of its life since it was due. */
  readonly missed: readonly string[];
  /** Times at which certificate and key did not belong together, or there was none. */
  readonly lost: readonly string[];
  /** Times at which it had expired, the server having been away. */
  readonly expired: number;
}

interface Running {
  readonly life: Life;
  /** Goes as the clock of the world, until the life ends. */
  readonly clock: ManualClock;
  readonly daemons: readonly RunningDaemon[];
  readonly number: number;
}

/** keyd and certd in this process, on one clock that is turned by hand, with an EST server that comes and goes. */
class Years {
  readonly root = mkdtempSync(join(tmpdir(), 'years-'));
  readonly clock = new ManualClock(START);
  readonly random: () => number;
  readonly log: string[] = [];
  #running: Running | undefined;
  #number = 0;
  est: PlainEst | undefined;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  at(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  async prepare(): Promise<void> {
    for (const name of ['keyd', 'certd']) mkdirSync(this.at(name));
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const out = ['-keyout', this.at('boot.key'), '-out', this.at('boot.pem')];
    execFileSync('openssl', ['req', '-x509', '-subj', '/CN=TEST boot', ...key, ...out], { stdio: 'ignore' });
    execFileSync(
      'openssl',
      ['req', '-new', '-subj', '/CN=dev', ...key, '-keyout', '/dev/null', '-out', this.at('dev.csr')],
      {
        stdio: 'ignore',
      },
    );
    this.est = await startPlainEst(() => this.clock.now(), LIFETIME_SECONDS);
  }

  /** Starts both daemons as after a boot. */
  async boot(): Promise<void> {
    const number = ++this.#number;
    const endpoints = ['keyd', 'certd'].map((name) => `aziot_${name} = "unix://${this.at(`${name}-${number}.sock`)}"`);
    writeFileSync(
      this.at('keyd.toml'),
      `[aziot_keys]\nhomedir_path = "${this.at('keyd')}"\n[preloaded_keys]\nboot = "file://${this.at('boot.key')}"\n[endpoints]\n${endpoints.join('\n')}\n`,
    );
    writeFileSync(
      this.at('certd.toml'),
      `homedir_path = "${this.at('certd')}"
[cert_issuance]
dev = { method = "est" }
[cert_issuance.est]
identity_cert = "est-id"
identity_pk = "est-id"
bootstrap_identity_cert = "boot"
bootstrap_identity_pk = "boot"
[cert_issuance.est.urls]
default = "${this.est?.url}"
[preloaded_certs]
boot = "file://${this.at('boot.pem')}"
[endpoints]
${endpoints.join('\n')}
`,
    );
    const life = new Life();
    const write = (line: string) => this.log.push(`${number} ${line}`);
    const clock = new ManualClock(this.clock.now());
    const log = createLogger({ target: 'x', filter: 'warn', write, now: () => clock.now() });
    const context = (name: string) => ({
      env: {
        [`AZIOT_${name}_CONFIG`]: this.at(`${name.toLowerCase()}.toml`),
        [`AZIOT_${name}_CONFIG_DIR`]: this.at('none'),
      },
      log,
      clock,
    });
    const daemons = await life.run(async () => [await startKeyd(context('KEYD')), await startCertd(context('CERTD'))]);
    this.#running = { life, clock, daemons, number };
  }

  /** Drops the daemons where they stand, and boots again. */
  async cutAndBoot(): Promise<void> {
    this.#running?.life.end();
    for (const daemon of this.#running?.daemons ?? []) void daemon.close().catch(() => undefined);
    await this.boot();
  }

  /** Lets time pass; who slept in a life that is over is not woken. */
  turn(milliseconds: number): void {
    this.clock.turn(milliseconds);
    this.#running?.clock.turn(milliseconds);
  }

  get life(): Life | undefined {
    return this.#running?.life;
  }

  call(
    daemon: 'keyd' | 'certd',
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Json }> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const version = daemon === 'keyd' ? '2021-05-01' : '2020-09-01';
    const answered = new Promise<{ status: number; body: Json }>((resolve, reject) => {
      const sent = request(
        {
          socketPath: this.at(`${daemon}-${this.#running?.number}.sock`),
          method,
          path: `${path}?api-version=${version}`,
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
          agent: false,
        },
        (answer) => {
          let got = '';
          answer.on('data', (chunk) => {
            got += chunk;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: got === '' ? {} : JSON.parse(got) }));
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });
    const cut = this.#running?.life.ended.then(() => ({ status: 0, body: {} }));
    return cut ? Promise.race([answered, cut]) : answered;
  }

  async close(): Promise<void> {
    this.#running?.life.end();
    for (const daemon of this.#running?.daemons ?? []) void daemon.close().catch(() => undefined);
    await this.est?.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  /** What the engine plans, once it has nothing under way. Undefined when the power was cut meanwhile. */
  async settled(): Promise<Json | undefined> {
    for (let turn = 0; turn < 4000 && !this.life?.gone; turn++) {
      const { body } = await this.call('certd', 'GET', '/renewals').catch(() => ({ body: {} as Json }));
      const [identity] = (body['identities'] ?? []) as Json[];
      const next = identity?.['nextAttempt'];
      if (identity && typeof next === 'string' && Date.parse(next) > this.clock.now()) return identity;
      if (identity && next === null && identity['rule'] !== 'first-look') return identity;
      await new Promise((done) => setImmediate(done));
      // the pauses of the EST client and of the engine itself are waited for on this clock
      if (turn % 20 === 19) this.turn(1000);
    }
    return undefined;
  }
}

type Json = Record<string, unknown>;

async function publicKeyOf(years: Years, id: string): Promise<KeyObject | undefined> {
  const { status, body } = await years.call('keyd', 'GET', `/keypair/${id}`);
  if (status !== 200) return undefined;
  const point = await years.call('keyd', 'POST', '/parameters/ec-point', { keyHandle: body['keyHandle'] });
  // a power cut between the two calls
  if (point.status !== 200) return undefined;
  const x = Buffer.from(String(point.body['value']), 'base64');
  const head = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex');
  return createPublicKey({ key: Buffer.concat([head, x]), format: 'der', type: 'spki' });
}

/** Lets simulated time pass, with outages and power cuts by the seed. */
export async function runYears({ seed, days }: { seed: number; days: number }): Promise<YearsReport> {
  const years = new Years(seed);
  await years.prepare();
  try {
    return await run(years, days);
  } catch (error) {
    throw new Error(`seed ${seed}, ${new Date(years.clock.now()).toISOString()}:\n${years.log.slice(-15).join('')}`, {
      cause: error,
    });
  } finally {
    await years.close();
  }
}

async function firstIdentity(years: Years, csr: string): Promise<void> {
  const { status } = await years.call('certd', 'POST', '/certificates', { certId: 'dev', csr });
  if (status !== 201) throw new Error(`the first enrolment was answered ${status}`);
}

async function run(years: Years, days: number): Promise<YearsReport> {
  const { clock, random, est } = years;
  if (!est) throw new Error('no EST server');
  const csr = execFileSync('cat', [years.at('dev.csr')], { encoding: 'utf8' });
  const lost: string[] = [];
  const missed: string[] = [];
  let [expired, powerCuts, reachableMs] = [0, 0, 0];
  let weather = clock.now() + 20 * HOUR;
  let identity = '';
  await years.boot();
  await firstIdentity(years, csr);
  while (clock.now() < START + days * DAY) {
    const before = clock.now();
    const state = await years.settled();
    if (years.life?.gone) {
      powerCuts++;
      await years.cutAndBoot();
      continue;
    }
    const leaf = await held(years, lost);
    if (leaf && leaf.fingerprint256 !== identity) [identity, reachableMs] = [leaf.fingerprint256, 0];
    const end = leaf?.validToDate.getTime() ?? 0;
    const due = leaf ? end - 0.2 * LIFETIME_SECONDS * 1000 : 0;
    if (leaf && clock.now() >= end) {
      expired++;
      if (reachableMs >= 0.1 * LIFETIME_SECONDS * 1000) missed.push(new Date(clock.now()).toISOString());
    }
    if (clock.now() >= weather) {
      est.reachable = !est.reachable;
      // good and bad weather of hours; now and then bad weather of days
      const bad = random() < 0.1 ? 60 * HOUR : 14 * HOUR;
      weather = clock.now() + (est.reachable ? HOUR + random() * 8 * HOUR : random() * bad);
    }
    if (random() < 0.25) years.life?.cutAfter(Math.floor(random() * 30));
    const next = typeof state?.['nextAttempt'] === 'string' ? Date.parse(state['nextAttempt']) : clock.now() + HOUR;
    const step = Math.max(60_000, Math.min(next, weather, clock.now() + 6 * HOUR) - clock.now() + 1);
    if (est.reachable && clock.now() + step > due) reachableMs += Math.min(step, clock.now() + step - due);
    years.turn(step + Math.max(0, before - clock.now()));
    await new Promise((done) => setImmediate(done));
  }
  return { issued: est.issued, powerCuts, missed, lost, expired };
}

/** The identity as it is served; whether its key is there is noted in `lost`. */
async function held(years: Years, lost: string[]): Promise<X509Certificate | undefined> {
  const { status, body } = await years.call('certd', 'GET', '/certificates/est-id');
  if (years.life?.gone) return undefined;
  const when = new Date(years.clock.now()).toISOString();
  if (status !== 200) {
    lost.push(`${when}: GET answered ${status}`);
    return undefined;
  }
  const leaf = new X509Certificate(String(body['pem']));
  const key = await publicKeyOf(years, 'est-id');
  if (!years.life?.gone && !key?.equals(leaf.publicKey)) lost.push(`${when}: the key is of another certificate`);
  return leaf;
}
