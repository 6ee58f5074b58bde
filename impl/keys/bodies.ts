import Type from 'typebox';
import { Base64 } from '../ipc/index.ts';

/** Shapes of the request bodies (spec/keys-service.md 3.5). Optional members may be null; unknown ones are ignored. */
const USAGE = Type.String({ pattern: '^(?:derive|encrypt|sign)(?:,(?:derive|encrypt|sign))*$' });
const absent = Type.Optional(Type.Null());
const orNull = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

export const CREATE_KEY = Type.Object({
  keyId: Type.String(),
  usage: USAGE,
  keyBytes: orNull(Type.Intersect([Base64, Type.String({ minLength: 1 })])),
});
export const CREATE_PAIR = Type.Object({ keyId: Type.String(), preferredAlgorithms: orNull(Type.String()) });
export const KEY_HANDLE = Type.Object({ keyHandle: Type.String() });
export const MOVE = Type.Object({ from: Type.String() });
export const DERIVE = Type.Object({ baseKeyHandle: Type.String(), derivationData: Base64 });

export const SIGN = Type.Union([
  Type.Object({
    keyHandle: Type.String(),
    algorithm: Type.Literal('ECDSA'),
    parameters: Type.Object({ digest: Base64 }),
  }),
  Type.Object({
    keyHandle: Type.String(),
    algorithm: Type.Literal('HMAC-SHA256'),
    parameters: Type.Object({ message: Base64 }),
  }),
]);

const AEAD = { algorithm: Type.Literal('AEAD'), parameters: Type.Object({ iv: Base64, aad: Base64 }) };
const RSA = {
  algorithm: Type.Union([Type.Literal('RSA-PKCS1'), Type.Literal('RSA-NO-PADDING')]),
  parameters: absent,
};

export const ENCRYPT = Type.Union([
  Type.Object({ keyHandle: Type.String(), ...AEAD, plaintext: Base64 }),
  Type.Object({ keyHandle: Type.String(), ...RSA, plaintext: Base64 }),
]);
export const DECRYPT = Type.Union([
  Type.Object({ keyHandle: Type.String(), ...AEAD, ciphertext: Base64 }),
  Type.Object({ keyHandle: Type.String(), ...RSA, ciphertext: Base64 }),
]);
