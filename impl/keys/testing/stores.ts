import { KeydWorld, SOFTHSM } from './world.ts';

/** The suites of operations run once for each store; the token one needs SoftHSM. */
export const STORES = [
  { store: 'files', skip: false },
  { store: 'softhsm', skip: SOFTHSM === undefined },
] as const;

export type StoreName = (typeof STORES)[number]['store'];

/** A started keyd whose new keys live in this store. */
export async function worldOf(store: StoreName, more = ''): Promise<KeydWorld> {
  const world = new KeydWorld();
  world.writeConfig({ parameters: store === 'softhsm' ? world.makeToken() : '', more });
  await world.start();
  return world;
}
