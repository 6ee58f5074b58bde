import { type Attribute, CK } from './cryptoki.ts';
import { P256_OID } from './objects.ts';

/** Templates of spec/keys-service.md 8.3; every private object is also marked never to be extractable (design.md 3). */
const NEW_KEY_BYTES = 32;
const RSA_EXPONENT = Buffer.from('010001', 'hex');

const { attribute } = CK;
const yes = (type: number): Attribute => ({ type, value: true });
const no = (type: number): Attribute => ({ type, value: false });
const labelled = (label: string): Attribute => ({ type: attribute.label, value: Buffer.from(label) });

const guarded = (): Attribute[] => [
  yes(attribute.private),
  yes(attribute.sensitive),
  no(attribute.extractable),
  yes(attribute.token),
];

function secret(label: string, use: 'hmac' | 'aes'): Attribute[] {
  const purposes = use === 'hmac' ? [attribute.sign, attribute.verify] : [attribute.encrypt, attribute.decrypt];
  return [
    { type: attribute.class, value: CK.class.secretKey },
    { type: attribute.keyType, value: use === 'hmac' ? CK.keyType.genericSecret : CK.keyType.aes },
    labelled(label),
    ...guarded(),
    ...purposes.map(yes),
  ];
}

/** A secret key to be generated, 32 bytes unless told otherwise. */
export function newSecret(label: string, use: 'hmac' | 'aes', bytes = NEW_KEY_BYTES): Attribute[] {
  return [
    ...secret(label, use),
    ...(use === 'aes' ? [yes(attribute.verify)] : []),
    { type: attribute.valueLength, value: bytes },
  ];
}

/** A secret key with these bytes. */
export function importedSecret(label: string, use: 'hmac' | 'aes', bytes: Buffer): Attribute[] {
  return [...secret(label, use), { type: attribute.value, value: bytes }];
}

/** The public and private object of a key pair to be generated. */
export function newPair(label: string, parameters: { readonly rsaBits?: number }): [Attribute[], Attribute[]] {
  const algorithm: Attribute[] =
    parameters.rsaBits === undefined
      ? [{ type: attribute.ecParameters, value: P256_OID }]
      : [
          { type: attribute.modulusBits, value: parameters.rsaBits },
          { type: attribute.publicExponent, value: RSA_EXPONENT },
        ];
  const publicKey = [
    ...algorithm,
    yes(attribute.encrypt),
    yes(attribute.token),
    yes(attribute.verify),
    no(attribute.private),
    labelled(label),
  ];
  return [publicKey, [...guarded(), yes(attribute.decrypt), yes(attribute.sign), labelled(label)]];
}
