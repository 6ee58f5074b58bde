import assert from 'node:assert/strict';
import { type KeyObject, X509Certificate } from 'node:crypto';
import { chmod, chown } from 'node:fs/promises';
import { ExtendedKeyUsageExtension } from '@peculiar/x509';
import { prepareToken } from '../keys/index.ts';
import { answered, exchange, stringMember, type World } from '../runner/index.ts';
import { type Authorities, issue, issueHolder, newKey, pemOf, privatePem } from './ca.ts';
import { certificateFile } from './certificate-file.ts';
import { deletePair, makePair, publicKeyOf } from './key-pairs.ts';
import { planned } from './log-words.ts';
import type { Responder } from './responder.ts';

const CLIENT = [new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.2'])];
/** As whom keyd and certd run where a folder has to be able to refuse them. */
const KEYD_UID = 4003;
const CERTD_UID = 4004;

/** An identity that is stored before certd starts; times in seconds from now. */
export interface Held {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly subject?: string;
  /** `file`: preloaded, in the folder `pre/locked`, which keyd may not write to; else keyd made it. */
  readonly key?: 'file';
}

/** Times of a certificate of which half is over in so many seconds, and which ends `half` seconds later. */
export const halfIn = (seconds: number, half: number): Pick<Held, 'from' | 'to'> => ({
  from: seconds - half,
  to: seconds + half,
});

/** The set-up of one scenario with identities that live seconds. */
export interface RenewalPlan {
  readonly held: readonly Held[];
  /** Key pairs that are there beside those of the identities. */
  readonly leftOver?: readonly string[];
  /** keyd makes keys in a SoftHSM token; what is preloaded stays a file. */
  readonly token?: true;
  /** Both daemons run as users of their own; the key pairs that certd may use. */
  readonly users?: { readonly keys: readonly string[] };
  /** What happens after the start; otherwise the first identity is waited for until it has another leaf. */
  readonly during?: (run: RenewalRun) => Promise<void>;
}

/** A running keyd and certd with their EST server, and what the identities were before. */
export class RenewalRun {
  readonly world: World;
  readonly responder: Responder;
  readonly #ca: Authorities;
  readonly #plan: RenewalPlan;
  readonly #before = new Map<string, { readonly leaf: string; readonly key: KeyObject }>();

  constructor(world: World, responder: Responder, ca: Authorities, plan: RenewalPlan) {
    this.world = world;
    this.responder = responder;
    this.#ca = ca;
    this.#plan = plan;
  }

  /** Keys and keyd; certd is started by {@link startCertd}. */
  async prepare(): Promise<void> {
    const { world } = this;
    const ca = this.#ca;
    const { held, leftOver = [], users } = this.#plan;
    const bootstrap = await issueHolder({ subject: 'CN=TEST bootstrap', extensions: CLIENT }, ca.bootstrapCa);
    await world.file('pre/bootstrap.pem', pemOf(bootstrap.certificate, ca.bootstrapCa.certificate));
    await world.file('pre/bootstrap.key', privatePem(bootstrap), 0o600);
    await world.file('pre/est-ca.pem', pemOf(ca.root.certificate));
    const inFile = held.filter(({ key }) => key === 'file');
    for (const { id } of inFile) await world.file(`pre/locked/${id}.key`, privatePem(newKey()), 0o600);
    const preloaded = inFile.map(({ id }) => `${id} = "file://@ROOT@/pre/locked/${id}.key"\n`).join('');
    const keys = `[preloaded_keys]\nest-bootstrap-id = "file://@ROOT@/pre/bootstrap.key"\n${preloaded}`;
    const principal = users ? `[[principal]]\nuid = ${CERTD_UID}\nkeys = ${JSON.stringify(users.keys)}\n` : '';
    const lines = this.#plan.token ? `${await prepareToken(world)}\n` : '';
    await world.configure('keyd', {
      main: `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n${lines}${keys}${principal}`,
    });
    await this.#giveToUsers(inFile);
    await world.start('keyd', users ? { uid: KEYD_UID } : {});
    for (const id of leftOver) await makePair(world, id);
    for (const { id, key } of held) if (key !== 'file') await makePair(world, id);
  }

  /** Writes a certificate for the key as the identity's; it is what later ones are compared with. */
  async store({ id, from, to, subject = `CN=TEST ${id}` }: Held, key: KeyObject): Promise<void> {
    const wish = { subject, publicKey: key, fromMs: from * 1000, toMs: to * 1000, extensions: CLIENT };
    const leaf = await issue(wish, this.#ca.issuing);
    const file = await this.world.file(`certd/home/certs/${certificateFile(id)}`, pemOf(leaf));
    if (this.#plan.users) await chown(file, CERTD_UID, CERTD_UID);
    this.#before.set(id, { leaf: fingerprintOf(pemOf(leaf)), key });
  }

  /** Stores the certificates of the identities, whose times count from now, and starts certd. */
  async startCertd(): Promise<void> {
    const { world } = this;
    for (const identity of this.#plan.held) await this.store(identity, await publicKeyOf(world, identity.id));
    if (this.#plan.users) await chown(world.path('certd/home/certs'), CERTD_UID, CERTD_UID);
    await world.start('certd', this.#plan.users ? { uid: CERTD_UID } : {});
  }

  /** The public half of a key pair of keyd. */
  keyOf(id: string): Promise<KeyObject> {
    return publicKeyOf(this.world, id);
  }

  /** Deletes a key pair, as an operator might. */
  forgetKey(id: string): Promise<void> {
    return deletePair(this.world, id);
  }

  /** The stored text of an identity or certificate; undefined: none. */
  async read(id: string): Promise<string | undefined> {
    const target = `/certificates/${id}?api-version=2020-09-01`;
    const answer = answered(await exchange(this.world.socket('certd'), 0, { method: 'GET', target }));
    return answer.status === 200 ? stringMember(JSON.parse(answer.body), 'pem') : undefined;
  }

  /** Whether the identity has another leaf than it had before. */
  async isRenewed(id = 'est-id'): Promise<boolean> {
    const pem = await this.read(id);
    return pem !== undefined && fingerprintOf(pem) !== this.#before.get(id)?.leaf;
  }

  /** Waits until the identity has another leaf. */
  renewed(id = 'est-id'): Promise<void> {
    return this.until(() => this.isRenewed(id), `${id} was not renewed`);
  }

  /** Waits until so many requests for an operation have come. */
  asked(operation: string, count = 1): Promise<void> {
    const came = () => this.responder.seen.filter(({ request }) => request.endsWith(`/${operation}`)).length;
    return this.until(async () => came() >= count, `${operation} was asked for less than ${count} times`);
  }

  async until(holds: () => Promise<boolean>, what: string, ms = 40_000): Promise<void> {
    const end = performance.now() + ms;
    while (!(await holds())) {
      assert.ok(performance.now() < end, `${what}; log of certd:\n${this.world.running('certd').log.slice(-1500)}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** Waits until the timer has looked at the identity as it was stored. */
  async lookedAt(id = 'est-id'): Promise<void> {
    await this.world.running('certd').logged(planned(id), 40_000);
  }

  /** Whether leaf and key belong together, at the latest a moment after the leaf was written, and whether the key is another one. */
  async keyState(id = 'est-id'): Promise<{ readonly changed: boolean; readonly matches: boolean }> {
    const end = performance.now() + 3_000;
    for (;;) {
      const key = await publicKeyOf(this.world, id);
      const matches = new X509Certificate((await this.read(id)) ?? '').publicKey.equals(key);
      if (matches || performance.now() > end) return { changed: !this.#before.get(id)?.key.equals(key), matches };
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  async #giveToUsers(inFile: readonly Held[]): Promise<void> {
    const { world } = this;
    if (!this.#plan.users) return;
    await chmod(world.path('run'), 0o777);
    await chown(world.path('keyd/home'), KEYD_UID, KEYD_UID);
    await chown(world.path('certd/home'), CERTD_UID, CERTD_UID);
    const files = ['pre/bootstrap.key', ...inFile.map(({ id }) => `pre/locked/${id}.key`)];
    for (const file of files) await chown(world.path(file), KEYD_UID, KEYD_UID);
  }
}

const fingerprintOf = (pem: string): string => new X509Certificate(pem).fingerprint256;
