import { DerError, type DerValue, expectTag, membersOf, readOid, TAG } from './der.ts';
import type { Extension } from './extensions.ts';
import { readName } from './name.ts';

const ATTRIBUTE = {
  challengePassword: '1.2.840.113549.1.9.7',
  extensionRequest: '1.2.840.113549.1.9.14',
  decryptKeyIdentifier: '1.2.840.113549.1.9.16.2.37',
  asymmetricDecryptKeyIdentifier: '1.2.840.113549.1.9.16.2.54',
  changeSubjectName: '1.3.6.1.5.5.7.7.36',
} as const;

const CONTEXT_0 = 0xa0;
const CONTEXT_1 = 0xa1;
const MOST_ATTRIBUTES = 64;

/** New names that a re-enrolment asks for (RFC 6402 2.8); DER of a Name, of GeneralNames. */
export interface ChangedNames {
  readonly subject: Buffer | undefined;
  readonly alternativeNames: Buffer | undefined;
}

/** How a server-made key is to be encrypted (RFC 7030 4.4.1): which key to use. */
export interface KeyDelivery {
  readonly kind: 'symmetric' | 'asymmetric';
  readonly id: Buffer;
}

/** What the attributes of a request say. */
export interface RequestAttributes {
  readonly extensions: readonly Extension[];
  /** Text of challengePassword (RFC 2985 5.4.1). */
  readonly challengePassword: string | undefined;
  readonly changedNames: ChangedNames | undefined;
  readonly keyDelivery: KeyDelivery | undefined;
}

/** ChangeSubjectName ::= SEQUENCE { subject Name OPTIONAL, subjectAlt [1] GeneralNames OPTIONAL } */
function readChangedNames(value: DerValue): ChangedNames {
  const members = membersOf(expectTag(value, TAG.sequence, 'changeSubjectName'));
  const subject = members.find(({ tag }) => tag === TAG.sequence);
  const names = members.find(({ tag }) => tag === CONTEXT_1);
  if (members.length === 0 || members.length !== Number(!!subject) + Number(!!names))
    throw new DerError('changeSubjectName names neither subject nor subjectAltName');
  if (subject) readName(subject.raw);
  const alternativeNames = names && Buffer.from(names.raw);
  if (alternativeNames) alternativeNames[0] = TAG.sequence;
  return { subject: subject?.raw, alternativeNames };
}

function readPassword({ tag, content }: DerValue): string {
  if (tag !== TAG.printableString && tag !== TAG.utf8String && tag !== TAG.ia5String && tag !== TAG.t61String)
    throw new DerError('challengePassword is no text');
  return content.toString('utf8');
}

const identifierIn = (value: DerValue): Buffer => expectTag(value, TAG.octetString, 'a key identifier').content;

/** Attributes by type, each once, each with one value. */
function singleValues(attributes: DerValue): Map<string, DerValue> {
  const values = new Map<string, DerValue>();
  const members = membersOf(expectTag(attributes, CONTEXT_0, 'the attributes'));
  if (members.length > MOST_ATTRIBUTES) throw new DerError(`more than ${MOST_ATTRIBUTES} attributes`);
  for (const member of members) {
    const [type, set, more] = membersOf(expectTag(member, TAG.sequence, 'an attribute'));
    const name = readOid(type);
    const [value, another] = membersOf(expectTag(set, TAG.set, `the values of attribute ${name}`));
    if (!value || more) throw new DerError(`attribute ${name} has no value`);
    const isKnown = (Object.values(ATTRIBUTE) as string[]).includes(name);
    if (isKnown && (another || values.has(name))) throw new DerError(`attribute ${name} has more than one value`);
    values.set(name, value);
  }
  return values;
}

/** Reads the attributes of a CertificationRequestInfo (RFC 2986 4.1); unknown ones are passed over. @throws DerError */
export function readAttributes(
  attributes: DerValue | undefined,
  readExtensions: (value: DerValue) => Extension[],
): RequestAttributes {
  const values = attributes ? singleValues(attributes) : new Map<string, DerValue>();
  const read = <T>(type: string, reader: (value: DerValue) => T): T | undefined => {
    const value = values.get(type);
    return value && reader(value);
  };
  const symmetric = read(ATTRIBUTE.decryptKeyIdentifier, identifierIn);
  const asymmetric = read(ATTRIBUTE.asymmetricDecryptKeyIdentifier, identifierIn);
  if (symmetric && asymmetric) throw new DerError('two ways of encrypting the key');
  return {
    extensions: read(ATTRIBUTE.extensionRequest, (value) => readExtensions(value)) ?? [],
    challengePassword: read(ATTRIBUTE.challengePassword, readPassword),
    changedNames: read(ATTRIBUTE.changeSubjectName, readChangedNames),
    keyDelivery: symmetric
      ? { kind: 'symmetric', id: symmetric }
      : asymmetric
        ? { kind: 'asymmetric', id: asymmetric }
        : undefined,
  };
}
