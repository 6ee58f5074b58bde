import {
  DerError,
  type DerValue,
  der,
  expectTag,
  membersOf,
  oid,
  readDer,
  readOid,
  sequence,
  setOf,
  TAG,
} from './der.ts';

const ORGANIZATION = oid('2.5.4.10');
const COMMON_NAME = '2.5.4.3';
const MARK = setOf(sequence(ORGANIZATION, der(TAG.utf8String, Buffer.from('TEST ONLY'))));

const SHORT: Readonly<Record<string, string>> = {
  [COMMON_NAME]: 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
};

const fromBmp = (content: Buffer): string => Buffer.from(content).swap16().toString('utf16le');

function textOf({ tag, content }: DerValue): string | undefined {
  switch (tag) {
    case TAG.utf8String:
      return content.toString('utf8');
    case TAG.printableString:
    case TAG.ia5String:
    case TAG.t61String:
      return content.toString('latin1');
    case TAG.bmpString:
      return content.length % 2 === 0 ? fromBmp(content) : undefined;
    default:
      return undefined;
  }
}

/** One attribute of a name: type, and value as text where it is one, else as hex of its DER. */
interface NamePart {
  readonly type: string;
  readonly value: string;
}

function partOf(attribute: DerValue): NamePart {
  const [type, value, more] = membersOf(expectTag(attribute, TAG.sequence, 'an attribute of a name'));
  if (!value || more) throw new DerError('an attribute of a name has one value');
  return { type: readOid(type), value: textOf(value) ?? `#${value.raw.toString('hex')}` };
}

/** The parts of a Name, sets within it in order (RFC 5280 4.1.2.4). @throws DerError */
export function readName(name: Buffer): NamePart[][] {
  return membersOf(expectTag(readDer(name), TAG.sequence, 'a name')).map((set) => {
    const parts = membersOf(expectTag(set, TAG.set, 'a part of a name')).map(partOf);
    if (parts.length === 0) throw new DerError('an empty part of a name');
    return parts;
  });
}

/** For people: `CN=dev-01, O=TEST ONLY`. */
export function nameText(name: Buffer): string {
  return readName(name)
    .map((set) => set.map(({ type, value }) => `${SHORT[type] ?? type}=${value}`).join('+'))
    .join(', ');
}

/** Values of all common names. */
export function commonNamesOf(name: Buffer): string[] {
  return readName(name)
    .flat()
    .flatMap(({ type, value }) => (type === COMMON_NAME ? [value] : []));
}

const folded = (name: Buffer): string =>
  JSON.stringify(
    readName(name).map((set) =>
      set.map(({ type, value }) => `${type}=${value.trim().replace(/\s+/g, ' ').toLowerCase()}`).sort(),
    ),
  );

/** Whether two names are the same whatever string types, case and blanks they are written with (RFC 5280 7.1). */
export const isSameName = (left: Buffer, right: Buffer): boolean =>
  left.equals(right) || folded(left) === folded(right);

/** The name with a last `O=TEST ONLY`, unless it says TEST already; what was there keeps its bytes. DER to DER. */
export function markForTests(name: Buffer): Buffer {
  return name.includes('TEST') ? name : sequence(readDer(name).content, MARK);
}
