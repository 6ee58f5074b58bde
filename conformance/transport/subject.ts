import { symlink } from 'node:fs/promises';
import {
  type Context,
  type Daemon,
  exchange,
  expectError,
  expectStatus,
  type SharedWorld,
  Skipped,
  type WireRequest,
  type WireResult,
  type World,
} from '../runner/index.ts';
import { Swtpm, swtpmIsMissing } from '../tpm/index.ts';

/** What the transport requirements need to know of one daemon. */
export interface Subject {
  readonly daemon: Daemon;
  readonly world: SharedWorld;
  /** A version that the daemon knows. */
  readonly version: string;
  /** Path of a GET that is answered 200. */
  readonly readable: string;
  /** A POST that takes a body, and what shows that the body was taken. */
  readonly post: { readonly path: string; readonly body: Record<string, unknown>; taken(result: WireResult): void };
  /** A member of that body without which it has the wrong shape. */
  readonly required: string;
  /** A path that takes (or at least parses) a PUT; undefined where none does. */
  readonly puttable?: string;
  /** A method with a body that a known path does not have. */
  readonly lacking: { readonly method: string; readonly path: string };
  /** The least configuration with which the daemon starts. */
  readonly minimal: string;
  /** What the daemon cannot start without, beside its configuration: made in a world before the configuration is written. */
  readonly prepare?: (world: World) => Promise<void>;
  /** What keeps the daemon from running here; undefined: nothing. */
  readonly whyNot?: () => string | undefined;
}

/** A world of the requirement's own with what the daemon needs; skips the requirement where that cannot be had here. */
export async function freshFor(context: Context, subject: Subject): Promise<World> {
  needSubject(context, subject);
  const world = await context.fresh();
  await subject.prepare?.(world);
  return world;
}

/** Skips the requirement where the daemon cannot run here. */
export function needSubject(context: Context, { whyNot }: Subject): void {
  const why = whyNot?.();
  if (why !== undefined) context.skip(why, 'tpm');
}

/** The target of a path with the daemon's api-version. */
export function target(subject: Subject, path: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}api-version=${subject.version}`;
}

/** A POST of the subject's body, with changes. */
export function postOf(subject: Subject, changes: Partial<WireRequest> = {}): WireRequest {
  return { method: 'POST', target: target(subject, subject.post.path), body: subject.post.body, ...changes };
}

/** The key that the requirements ask for in a keyd that runs already; it is deleted again. */
async function keyInRunning(world: World): Promise<() => Promise<void>> {
  const ask = (method: string, body: unknown) =>
    exchange(world.socket('keyd'), process.geteuid?.() ?? 0, { method, target: '/key?api-version=2021-05-01', body });
  if (!world.mayChange)
    throw new Skipped('would make a key called "test" in the keyd that runs; say --allow-changes', 'control');
  const { keyHandle } = expectStatus(await ask('POST', { keyId: 'test', usage: 'sign' }), 200);
  return async () => void expectStatus(await ask('DELETE', { keyHandle }), 204);
}

const keydSubject: Subject = {
  daemon: 'keyd',
  world: {
    name: 'transport keyd',
    onRunning: keyInRunning,
    async build(world) {
      const main =
        '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n[preloaded_keys]\ntest = "file://@ROOT@/pre/test"\n';
      await world.file('pre/test', 'some key');
      await world.configure('keyd', { main: `${main}[[principal]]\nuid = 4001\nkeys = ["test"]\n` });
      await world.start('keyd');
    },
  },
  version: '2021-05-01',
  readable: '/key/test',
  post: {
    path: '/key',
    body: { keyId: 'test', usage: 'sign' },
    taken: (result) => void expectStatus(result, 200),
  },
  required: 'usage',
  puttable: '/key',
  lacking: { method: 'DELETE', path: '/sign' },
  minimal: '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n',
};

const certdSubject: Subject = {
  daemon: 'certd',
  world: {
    name: 'transport certd',
    async build(world) {
      await world.file('pre/some.pem', 'some text\n');
      const main = 'homedir_path = "@ROOT@/certd/home"\n[preloaded_certs]\nsome = "file://@ROOT@/pre/some.pem"\n';
      await world.configure('certd', { main: `${main}[[principal]]\nuid = 4001\ncerts = ["test"]\n` });
      await world.start('certd');
    },
  },
  version: '2020-09-01',
  readable: '/certificates/some',
  post: {
    path: '/certificates',
    body: { certId: 'test', csr: 'no request' },
    taken: (result) => void expectError(result, 400, 'parameter "csr"'),
  },
  required: 'csr',
  puttable: '/certificates/test',
  lacking: { method: 'POST', path: '/certificates/test' },
  minimal: 'homedir_path = "@ROOT@/certd/home"\n',
};

const IDENTITYD_MINIMAL =
  'hostname = "device-host"\nhomedir = "@ROOT@/identityd/home"\n[provisioning]\nsource = "none"\n';

const identitydSubject: Subject = {
  daemon: 'identityd',
  world: {
    name: 'transport identityd',
    onRunning: async () => async () => {},
    async build(world) {
      await world.configure('keyd', { main: '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n' });
      await world.configure('certd', { main: 'homedir_path = "@ROOT@/certd/home"\n' });
      const local = '[localid]\ndomain = "example.org"\n[[principal]]\nuid = 4001\nname = "m"\nidtype = ["local"]\n';
      await world.configure('identityd', { main: `${IDENTITYD_MINIMAL}${local}` });
      await world.start('keyd');
      await world.start('certd');
      await world.start('identityd');
    },
  },
  version: '2022-08-01',
  readable: '/identities/provisioning',
  post: {
    path: '/identities/device',
    body: { type: 'aziot' },
    taken: (result) => void expectError(result, 400, 'device identity not found'),
  },
  required: 'type',
  puttable: '/identities/modules/some?type=aziot',
  lacking: { method: 'POST', path: '/identities/identity' },
  minimal: IDENTITYD_MINIMAL,
};

const TPMD_MINIMAL = 'tcti = "swtpm:path=@ROOT@/tpm/sock"\n';

/** A software TPM of the world's own, under a name that its configuration can say beforehand. */
async function attachTpm(world: World): Promise<void> {
  const swtpm = await Swtpm.start();
  world.onDispose(() => swtpm.dispose());
  await symlink(swtpm.folder, world.path('tpm'));
}

const tpmdSubject: Subject = {
  daemon: 'tpmd',
  world: {
    name: 'transport tpmd',
    onRunning: async () => async () => {},
    async build(world) {
      await attachTpm(world);
      await world.configure('tpmd', { main: TPMD_MINIMAL });
      await world.start('tpmd');
    },
  },
  version: '2020-09-01',
  readable: '/get_tpm_keys',
  post: {
    path: '/sign_with_auth_key',
    body: { data: 'aGVsbG8=' },
    // without an auth key it gets as far as to miss one
    taken(result) {
      if (result.closed || result.status !== 200) expectError(result, 500, 'internal error');
    },
  },
  required: 'data',
  lacking: { method: 'DELETE', path: '/sign_with_auth_key' },
  minimal: TPMD_MINIMAL,
  prepare: attachTpm,
  whyNot: swtpmIsMissing,
};

export const SUBJECTS: readonly Subject[] = [keydSubject, certdSubject, identitydSubject, tpmdSubject];
