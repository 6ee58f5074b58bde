import { type Context, type Group, group, type SharedWorld, type Source, type World } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { PIN, pkcs11Tool, STORE_NAMES, STORES, type Store, type StoreName, TOKEN_LABEL } from './stores.ts';
import { keydConfig, writePreloadedKeys } from './world.ts';

/** What a check that depends on the store is given. */
export interface OnStore {
  readonly context: Context;
  readonly store: Store;
  /** A world that the checks of one store share; keyd runs in it with the preloaded keys and one principal. */
  readonly world: World;
  readonly root: Caller;
}

/** Text, source, what is done, and the stores where it makes no sense, each with the reason. */
export type StoreHandler = readonly [
  text: string,
  source: Source,
  run: (on: OnStore) => Promise<void>,
  notOn?: Readonly<Partial<Record<StoreName, string>>>,
];

/** A keyd whose dynamic keys are made in the store. */
function keydOn(store: Store): SharedWorld {
  return { name: `keyd on ${store.name}`, build: (world) => startKeydOn(store, world) };
}

/** Makes the store in the world and starts keyd on it; `more` are further lines of the configuration, `@ROOT@` replaced. */
async function startKeydOn(store: Store, world: World, more = ''): Promise<void> {
  await writePreloadedKeys(world);
  await world.configure('keyd', { main: `${keydConfig(await store.prepare(world))}${more}` });
  await world.start('keyd');
}

/** A world of the check's own with keyd on the store. */
export async function freshOn({ context, store }: OnStore, more = ''): Promise<{ world: World; root: Caller }> {
  const world = await context.fresh();
  await startKeydOn(store, world, more);
  return { world, root: new Caller(world) };
}

/** One group a store; ids carry its name: `KS-043/softhsm`. */
export function storeGroups(name: string, handlers: Readonly<Record<string, StoreHandler>>): Group[] {
  return STORE_NAMES.map((storeName) => {
    const store = STORES[storeName];
    return group(
      `keyd on ${storeName}: ${name}`,
      Object.fromEntries(
        Object.entries(handlers).map(([id, [text, source, run, notOn]]) => [
          `${id}/${storeName}`,
          [
            text,
            source,
            async (context) => {
              const pointless = notOn?.[storeName];
              if (pointless !== undefined) context.leaveOut(pointless);
              const reason = store.whyNot();
              if (reason !== undefined) context.skip(reason);
              const world = await context.shared(keydOn(store));
              await run({ context, store, world, root: new Caller(world) });
            },
          ] as const,
        ]),
      ),
    );
  });
}

/** An object of a token as pkcs11-tool shows it. */
export interface TokenObject {
  /** For example `Secret Key Object`, `Private Key Object`, `Public Key Object`. */
  readonly kind: string;
  /** What follows the kind in its line: algorithm and length. */
  readonly type: string;
  readonly access: string;
}

/** The objects of that label in the world's token, private ones too; none where the store is no token. */
export async function tokenObjects(world: World, store: Store, label: string): Promise<TokenObject[]> {
  if (!store.module) return [];
  const login = ['--login', '--pin', PIN, '--token-label', TOKEN_LABEL, '--list-objects'];
  const listed = await pkcs11Tool(world, store.module, login);
  const objects = listed.split(/^(?=\S)/m).flatMap((text) => {
    const [, kind = '', type = ''] = /^(\w+ Key Object)[;,]?\s*(.*)$/m.exec(text) ?? [];
    const value = (name: string) => new RegExp(`^ +${name}: +(.*?)\\s*$`, 'm').exec(text)?.[1] ?? '';
    return kind === '' ? [] : [{ kind, type, access: value('Access'), label: value('label') }];
  });
  return objects.filter((object) => object.label === label).map(({ kind, type, access }) => ({ kind, type, access }));
}
