import { join } from 'node:path';
import { objectFileName } from '../files/index.ts';
import { type FileParts, FilePlace } from './file-place.ts';
import { unsuitable } from './key-place.ts';
import type { KeydSettings } from './settings.ts';
import type { TokenHost } from './token/index.ts';
import { TokenPlace } from './token-place.ts';

const TEMP_SUFFIX = '-temp';
/** Ids whose places are remembered; naming a file costs a hash. */
const MOST_REMEMBERED = 1024;

/** The folder of key files below keyd's home folder. */
export const keysFolderOf = (homeFolder: string): string => join(homeFolder, 'keys');

/** Where the keys of an id may live, in the order in which they are looked for (spec/keys-service.md 6.1). */
export class KeyPlaces {
  #settings: KeydSettings;
  readonly #parts: FileParts;
  readonly #host: TokenHost | undefined;
  readonly #keysFolder: string | undefined;
  readonly #remembered = new Map<string, readonly (FilePlace | TokenPlace)[]>();

  /** @param host absent where the configuration names no PKCS#11 module. */
  constructor(settings: KeydSettings, parts: FileParts & { readonly host: TokenHost | undefined }) {
    this.#settings = settings;
    this.#parts = parts;
    this.#host = parts.host;
    this.#keysFolder = settings.homeFolder === undefined ? undefined : keysFolderOf(settings.homeFolder);
  }

  /** The same places with other PINs. */
  useSettings(settings: KeydSettings): void {
    this.#settings = settings;
    this.#remembered.clear();
  }

  /** Places of a symmetric key; never empty. Throws the 400 where there is none. */
  ofKey(id: string): readonly (FilePlace | TokenPlace)[] {
    return this.#checked(id, this.#preloaded(id) ?? this.#dynamic(id));
  }

  /**
   * Places of a key pair; never empty. A pair that a renewal makes beside a preloaded file (`<id>-temp`) is made in a file too, as it
   * could not be moved onto that file from a token (spec/keys-service.md 6.4).
   */
  ofPair(id: string): readonly (FilePlace | TokenPlace)[] {
    const preloaded = this.#preloaded(id);
    if (preloaded) return this.#checked(id, preloaded);
    const target = id.endsWith(TEMP_SUFFIX) ? id.slice(0, -TEMP_SUFFIX.length) : undefined;
    const filesFirst = target !== undefined && this.#settings.preloaded.get(target)?.kind === 'file';
    const places = this.#dynamic(id);
    return this.#checked(id, filesFirst ? places.toReversed() : places);
  }

  /** True where a symmetric key of this id may live in a token. */
  mayUseToken(id: string): boolean {
    return (this.#preloaded(id) ?? this.#dynamic(id)).some((place) => place.kind === 'token');
  }

  /** True where a symmetric key of this id has any place at all. */
  hasPlace(id: string): boolean {
    return (this.#preloaded(id) ?? this.#dynamic(id)).length > 0;
  }

  #checked(id: string, places: readonly (FilePlace | TokenPlace)[]): readonly (FilePlace | TokenPlace)[] {
    if (places.length > 0) return places;
    throw unsuitable(`key "${id}" has no place to live in; set aziot_keys.homedir_path, or give it a preloaded key`);
  }

  #preloaded(id: string): (FilePlace | TokenPlace)[] | undefined {
    const place = this.#settings.preloaded.get(id);
    if (!place) return undefined;
    if (place.kind === 'file') return [new FilePlace(place.path, 'operator', this.#parts)];
    if (this.#host) return [new TokenPlace(place.uri, this.#host)];
    throw unsuitable(`key "${id}" is preloaded from a token, but aziot_keys.pkcs11_lib_path is not set`);
  }

  #dynamic(id: string): readonly (FilePlace | TokenPlace)[] {
    const known = this.#remembered.get(id);
    if (known) return known;
    const places = this.#derived(id);
    if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(id, places);
    return places;
  }

  #derived(id: string): readonly (FilePlace | TokenPlace)[] {
    const { baseSlot } = this.#settings;
    const places: (FilePlace | TokenPlace)[] = [];
    if (baseSlot && this.#host) places.push(new TokenPlace({ ...baseSlot, object: id }, this.#host));
    if (this.#keysFolder !== undefined) {
      places.push(new FilePlace(`${this.#keysFolder}/${objectFileName(id, '.key')}`, 'keyd', this.#parts));
    }
    return places;
  }
}
