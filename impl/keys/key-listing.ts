import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { objectFileName } from '../files/index.ts';
import { invalidParameter, ROOT, type Uid } from '../ipc/index.ts';
import type { Clock, Logger } from '../process/index.ts';
import type { Counters } from './counters.ts';
import type { FileCache } from './file-cache.ts';
import { describeContent, type FoundKey, type KeyEntry } from './key-entry.ts';
import { HANDLE_VALIDATION_KEY, MASTER_ID } from './key-id.ts';
import type { KeyIndex } from './key-index.ts';
import { keysFolderOf } from './key-places.ts';
import type { Pkcs11Uri } from './pkcs11-uri.ts';
import type { Principals } from './principals.ts';
import type { KeydSettings } from './settings.ts';
import { type TokenAddress, type TokenHost, type TokenObject, tokenName } from './token/index.ts';

/** Ids of the services' own keys: they are known on a device that was taken over, before their first use. */
const WELL_KNOWN = [HANDLE_VALIDATION_KEY, MASTER_ID, 'device-id', 'est-id', 'est-bootstrap-id', 'local-ca'];
const MOST_ENTRIES = 1000;
/** Ids that are named in one go before others get their turn. */
const IDS_A_TURN = 500;
/** A token that does not answer within this is shown as unavailable. */
const TOKEN_PATIENCE_MS = 5000;

/** Answer of `GET /keys`. */
export interface KeyList {
  readonly keys: readonly KeyEntry[];
  /** Give it as `after` to get the entries that follow; absent on the last page. */
  readonly next?: string;
  /** For root only, see {@link Counters}. */
  readonly counters?: Readonly<Record<string, number>>;
}

interface Row {
  /** Ids before files without one; its text is the cursor of the page. */
  readonly cursor: string;
  readonly describe: () => Promise<readonly KeyEntry[]>;
}

interface ListingParts {
  readonly settings: () => KeydSettings;
  readonly principals: () => Principals;
  readonly index: KeyIndex;
  readonly cache: FileCache;
  readonly host: TokenHost | undefined;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly log: Logger;
}

type Tokens = ReadonlyMap<string, readonly TokenObject[] | undefined>;

function pageOf(query: URLSearchParams): { readonly after: string; readonly limit: number } {
  const limit = query.get('limit');
  const after = query.get('after') ?? '';
  if (limit === null) return { after, limit: MOST_ENTRIES };
  if (!/^[1-9]\d{0,3}$/.test(limit) || Number(limit) > MOST_ENTRIES) {
    throw invalidParameter('limit', `it must be a number from 1 to ${MOST_ENTRIES}`);
  }
  return { after, limit: Number(limit) };
}

const objectsIn = (tokens: Tokens, slot: TokenAddress['slot']) => tokens.get(tokenName(slot));

/** The objects that a preloaded key stands for: with a label those, else the first of each kind that is not the key that signs handles. */
function firstOfKinds(tokens: Tokens, { slot, object }: Pkcs11Uri): readonly TokenObject[] | undefined {
  const found = objectsIn(tokens, slot);
  if (!found || object !== undefined) return found?.filter(({ label }) => label === object);
  const kinds = (['key', 'key-pair'] as const).map((wanted) =>
    found.find(({ kind, label }) => kind === wanted && label !== HANDLE_VALIDATION_KEY),
  );
  return kinds.filter((entry) => entry !== undefined);
}

function tokenEntries(
  about: Pick<KeyEntry, 'id' | 'preloaded' | 'lastUsed'>,
  slot: TokenAddress['slot'],
  objects: readonly TokenObject[] | undefined,
): KeyEntry[] {
  const token = 'label' in slot ? slot.label : `slot ${slot.id}`;
  const common = { ...about, store: 'token', token } as const;
  if (!objects) return [{ ...common, state: 'unavailable' }];
  if (objects.length === 0) return [{ ...common, state: 'missing' }];
  return objects.map(({ kind, algorithm, extractable }) => ({
    ...common,
    kind,
    algorithm,
    extractable,
    state: 'present',
  }));
}

/** What keyd says about its keys, never their bytes: where each lives, what it is, when it was last used. */
export class KeyListing {
  readonly #parts: ListingParts;

  constructor(parts: ListingParts) {
    this.#parts = parts;
  }

  /**
   * The keys that the caller may see: root all, others those of their principals; keys whose id is not known are for root.
   * `limit` and `after` of the query choose a page; a limit that is no number from 1 to 1000 is the 400 of `limit`.
   */
  async list(uid: Uid, query: URLSearchParams): Promise<KeyList> {
    const { after, limit } = pageOf(query);
    const uses = await this.#parts.index.entries();
    const tokens = await this.#tokens();
    const rows = await this.#rows(uid, uses, tokens);
    rows.sort((a, b) => (a.cursor < b.cursor ? -1 : 1));
    const rest = rows.filter(({ cursor }) => cursor > after);
    const page = rest.slice(0, limit);
    const keys: KeyEntry[] = [];
    for (const { describe } of page) keys.push(...(await describe()));
    const last = page.at(-1);
    return {
      keys,
      ...(rest.length > page.length && last && { next: last.cursor }),
      ...(uid === ROOT && { counters: this.#parts.counters.all() }),
    };
  }

  async #rows(uid: Uid, uses: ReadonlyMap<string, number | undefined>, tokens: Tokens): Promise<Row[]> {
    const { preloaded, baseSlot } = this.#parts.settings();
    const labels = new Set((baseSlot ? objectsIn(tokens, baseSlot.slot) : undefined)?.map(({ label }) => label));
    const ids = new Set([...WELL_KNOWN, ...preloaded.keys(), ...uses.keys(), ...labels]);
    const files = new Set(await this.#files());
    const rows: Row[] = [];
    let turn = 0;
    for (const id of ids) {
      if (++turn % IDS_A_TURN === 0) await nextTurn();
      const file = objectFileName(id, '.key');
      const inFile = files.delete(file) && !preloaded.has(id);
      if (uid !== ROOT && !this.#parts.principals().allows(uid, id)) continue;
      if (!inFile && !preloaded.has(id) && !labels.has(id)) continue;
      const lastUsed = uses.get(id);
      const used = lastUsed === undefined ? null : new Date(lastUsed).toISOString();
      rows.push({ cursor: `1 ${id}`, describe: () => this.#entriesOf(id, inFile ? file : undefined, used, tokens) });
    }
    if (uid !== ROOT) return rows;
    for (const file of files) {
      const describe = async (): Promise<readonly KeyEntry[]> => [
        { file, store: 'file', ...(await this.#read(this.#pathOf(file))), preloaded: false, lastUsed: null },
      ];
      rows.push({ cursor: `2 ${file}`, describe });
    }
    return rows;
  }

  /** Entries of one id in the order in which its places are looked at. */
  async #entriesOf(id: string, file: string | undefined, lastUsed: string | null, tokens: Tokens): Promise<KeyEntry[]> {
    const { preloaded, baseSlot } = this.#parts.settings();
    const given = preloaded.get(id);
    if (given?.kind === 'file') {
      return [{ id, store: 'file', ...(await this.#read(given.path)), preloaded: true, lastUsed }];
    }
    const about = { id, preloaded: given !== undefined, lastUsed };
    if (given) return tokenEntries(about, given.uri.slot, firstOfKinds(tokens, given.uri));
    const held = baseSlot ? (objectsIn(tokens, baseSlot.slot) ?? []).filter(({ label }) => label === id) : [];
    const entries = baseSlot && held.length > 0 ? tokenEntries(about, baseSlot.slot, held) : [];
    if (file === undefined) return entries;
    const found = await this.#read(this.#pathOf(file));
    const shadowed = entries.some(({ kind }) => kind === found.kind);
    return [...entries, { ...about, store: 'file', ...found, ...(shadowed && { shadowed }) }];
  }

  #pathOf(file: string): string {
    return join(keysFolderOf(this.#parts.settings().homeFolder ?? ''), file);
  }

  async #files(): Promise<string[]> {
    const { homeFolder } = this.#parts.settings();
    if (homeFolder === undefined) return [];
    const names = await readdir(keysFolderOf(homeFolder)).catch(() => []);
    return names.filter((name) => name.endsWith('.key') && !name.startsWith('.'));
  }

  async #read(path: string): Promise<FoundKey> {
    try {
      return describeContent(await this.#parts.cache.read(path));
    } catch (error) {
      this.#parts.log.warn(`key file ${path} could not be listed: ${(error as Error).message}`);
      return { state: 'unreadable' };
    }
  }

  /** The objects of every token in the configuration; undefined for one that does not answer. */
  async #tokens(): Promise<Tokens> {
    const { baseSlot, preloaded } = this.#parts.settings();
    const addresses = new Map<string, TokenAddress>();
    for (const place of preloaded.values()) {
      if (place.kind === 'token') addresses.set(tokenName(place.uri.slot), place.uri);
    }
    if (baseSlot) addresses.set(tokenName(baseSlot.slot), baseSlot);
    const found = [...addresses].map(async ([name, address]) => [name, await this.#objectsOf(name, address)] as const);
    return new Map(await Promise.all(found));
  }

  async #objectsOf(name: string, { slot, pin }: TokenAddress): Promise<readonly TokenObject[] | undefined> {
    const { host, clock, log } = this.#parts;
    if (!host) return undefined;
    const patience = new AbortController();
    try {
      return await Promise.race([
        host.run({ slot, pin }, { task: 'list' }).then((result) => (result.outcome === 'done' ? result.objects : [])),
        clock.sleep(TOKEN_PATIENCE_MS, patience.signal).then(() => {
          throw new Error(`no answer within ${TOKEN_PATIENCE_MS} ms`);
        }),
      ]);
    } catch (error) {
      log.warn(`${name} could not be listed: ${(error as Error).message}`);
      return undefined;
    } finally {
      patience.abort();
    }
  }
}
