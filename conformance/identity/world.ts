import { exchange, type SharedWorld, type WireResult, type World } from '../runner/index.ts';

export const LOCAL = 4001;
export const LISTED_LOCAL = 4002;
export const STRANGER = 4009;

export const HEAD = 'hostname = "device-host"\nhomedir = "@ROOT@/identityd/home"\n';

/** A principal of `[[principal]]`. */
export function principal(uid: number, name: string, idtype?: readonly string[]): string {
  return `[[principal]]\nuid = ${uid}\nname = "${name}"\n${idtype ? `idtype = ${JSON.stringify(idtype)}\n` : ''}`;
}

/** A device without any cloud: local identities only, issued by certd. */
export const identitydAlone: SharedWorld = {
  name: 'identityd without a cloud',
  async build(world) {
    const local = '[localid]\ndomain = "example.org"\n';
    await world.configure('keyd', { main: `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n` });
    await world.configure('certd', { main: 'homedir_path = "@ROOT@/certd/home"\n' });
    await world.configure('identityd', {
      main: `${HEAD}[provisioning]\nsource = "none"\n${local}${principal(LOCAL, 'daemon')}${principal(LISTED_LOCAL, 'l', ['local'])}`,
    });
    await world.start('keyd');
    await world.start('certd');
    await world.start('identityd');
  },
};

/** Calls identityd as one uid. */
export function ask(world: World, uid: number, method: string, path: string, body?: unknown): Promise<WireResult> {
  const target = `${path}${path.includes('?') ? '&' : '?'}api-version=2022-08-01`;
  return exchange(world.socket('identityd'), uid, { method, target, body });
}
