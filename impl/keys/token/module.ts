import { CK, type Cryptoki, type Handle, isAlreadyInitialized, ulongOf } from './cryptoki.ts';
import type { TokenAddress } from './messages.ts';

const OLDEST_MINOR = 20;

async function binding(): Promise<Cryptoki> {
  let loaded: typeof import('pkcs11js');
  try {
    loaded = await import('pkcs11js');
  } catch (cause) {
    throw new Error(
      'the optional package pkcs11js is not installed; install it (it needs a C++ compiler), or remove pkcs11_lib_path',
      { cause },
    );
  }
  return new loaded.PKCS11();
}

function checkVersion(cryptoki: Cryptoki, path: string): void {
  let version: { readonly major: number; readonly minor: number };
  try {
    version = cryptoki.C_GetInfo().cryptokiVersion;
  } catch {
    return;
  }
  if (version.major > 2 || (version.major === 2 && version.minor >= OLDEST_MINOR)) return;
  throw new Error(`PKCS#11 module ${path} speaks Cryptoki ${version.major}.${version.minor}; 2.20 or later is needed`);
}

/** Loads and initialises a PKCS#11 module; "already initialised" is success. Rejects where it cannot be used. */
export async function loadModule(path: string): Promise<Cryptoki> {
  const cryptoki = await binding();
  try {
    cryptoki.load(path);
  } catch (cause) {
    throw new Error(`PKCS#11 module ${path} could not be loaded; check pkcs11_lib_path`, { cause });
  }
  try {
    cryptoki.C_Initialize({ flags: CK.osLocking });
  } catch (cause) {
    if (!isAlreadyInitialized(cause)) throw new Error(`PKCS#11 module ${path} could not be initialised`, { cause });
  }
  checkVersion(cryptoki, path);
  return cryptoki;
}

function labelOf(cryptoki: Cryptoki, slot: Handle): string | undefined {
  try {
    const { flags, label } = cryptoki.C_GetTokenInfo(slot);
    return (flags & CK.tokenInitialized) === 0 ? undefined : label.replaceAll('\0', ' ').trim();
  } catch {
    // one broken reader must not hide the tokens of the others
    return undefined;
  }
}

/** The slot that an address names: by number, or the first with an initialised token of that label. Throws where there is none. */
export function findSlot(cryptoki: Cryptoki, { slot }: TokenAddress): Handle {
  if ('id' in slot) {
    const found = cryptoki.C_GetSlotList(false).find((handle) => BigInt(ulongOf(handle)) === slot.id);
    if (!found) throw new Error(`no slot has the number ${slot.id}; check slot-id`);
    return found;
  }
  const found = cryptoki.C_GetSlotList(true).find((handle) => labelOf(cryptoki, handle) === slot.label.trim());
  if (!found) throw new Error(`no token is labelled "${slot.label}"; check that it is present and initialised`);
  return found;
}
