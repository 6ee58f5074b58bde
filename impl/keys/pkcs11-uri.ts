/** How a slot is named: by number, or by the label of the token in it. */
export type SlotChoice = { readonly id: bigint } | { readonly label: string };

/** A `pkcs11:` URI as far as keyd reads it (spec/keys-service.md 8.1). */
export interface Pkcs11Uri {
  readonly slot: SlotChoice;
  /** Label of the object; absent: the first object of the right class. */
  readonly object: string | undefined;
  readonly pin: string | undefined;
}

function decode(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new Error(`PKCS#11 URI: the value of ${name} is not percent-encoded UTF-8`);
  }
}

/** Attributes of one part of the URI; the last one of a name counts. */
function attributes(part: string, separator: string, known: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const item of part.split(separator)) {
    const cut = item.indexOf('=');
    if (cut < 0) continue;
    const name = decode('an attribute name', item.slice(0, cut));
    if (known.includes(name)) found.set(name, decode(name, item.slice(cut + 1)));
  }
  return found;
}

/**
 * Reads a `pkcs11:` URI: `token`, `slot-id`, `object` in the path, `pin-value` in the query; everything else is ignored and
 * `slot-id` beats `token`. Throws where it names no slot or has a bad value; the message never holds the PIN.
 */
export function parsePkcs11Uri(uri: string): Pkcs11Uri {
  if (!uri.startsWith('pkcs11:')) throw new Error('PKCS#11 URI: it must begin with "pkcs11:"');
  const rest = uri.slice('pkcs11:'.length);
  const mark = rest.indexOf('?');
  const path = attributes(mark < 0 ? rest : rest.slice(0, mark), ';', ['object', 'slot-id', 'token']);
  const query = attributes(mark < 0 ? '' : rest.slice(mark + 1), '&', ['pin-value']);
  const slotId = path.get('slot-id');
  const token = path.get('token');
  if (slotId !== undefined && !/^\d{1,19}$/.test(slotId)) throw new Error('PKCS#11 URI: slot-id is not a number');
  const object = path.get('object');
  const pin = query.get('pin-value');
  if (slotId !== undefined) return { slot: { id: BigInt(slotId) }, object, pin };
  if (token !== undefined) return { slot: { label: token }, object, pin };
  throw new Error('PKCS#11 URI: it names neither a token nor a slot-id');
}
