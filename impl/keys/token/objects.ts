import { compressPoint, DER, readDer } from '../der.ts';
import { HANDLE_VALIDATION_KEY } from '../key-id.ts';
import { type Attribute, CK, type Handle } from './cryptoki.ts';
import type { TokenPair } from './messages.ts';
import type { TokenSession } from './token-slot.ts';

const OBJECTS_A_CALL = 256;
/** DER of the OID of P-256, the one curve that tokens are used with. */
export const P256_OID = Buffer.from('06082a8648ce3d030107', 'hex');

type ObjectClass = keyof typeof CK.class;

/** All objects of a class with this label (absent: any), in the order of the token. Throws the module's error. */
export function findAll(session: TokenSession, objectClass: ObjectClass, label: string | undefined): Handle[] {
  const { cryptoki, handle } = session;
  const template: Attribute[] = [{ type: CK.attribute.class, value: CK.class[objectClass] }];
  if (label !== undefined) template.push({ type: CK.attribute.label, value: Buffer.from(label) });
  cryptoki.C_FindObjectsInit(handle, template);
  try {
    const found: Handle[] = [];
    for (;;) {
      const some = cryptoki.C_FindObjects(handle, OBJECTS_A_CALL);
      found.push(...some);
      if (some.length < OBJECTS_A_CALL) return found;
    }
  } finally {
    cryptoki.C_FindObjectsFinal(handle);
  }
}

/** Attribute values of an object, in the order asked for. */
export function attributesOf(session: TokenSession, object: Handle, types: readonly number[]): Buffer[] {
  const asked = types.map((type) => ({ type }));
  return session.cryptoki.C_GetAttributeValue(session.handle, object, asked).map(({ value }) => value as Buffer);
}

export function labelOf(session: TokenSession, object: Handle): string {
  return attributesOf(session, object, [CK.attribute.label])[0]?.toString('utf8') ?? '';
}

/** The secret key with this label; without one, the first that is not the key that signs handles. */
export function findSecret(session: TokenSession, label: string | undefined): Handle | undefined {
  const known = session.objects.secret(label);
  if (known) return known;
  const found = findAll(session, 'secretKey', label).find(
    (object) => label !== undefined || labelOf(session, object) !== HANDLE_VALIDATION_KEY,
  );
  if (found) session.objects.keepSecret(label, found);
  return found;
}

function withoutLeadingZeros(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  return bytes.subarray(start);
}

/** Some tokens give the bare point in place of the DER OCTET STRING around it. */
function barePoint(value: Buffer): Buffer {
  if (value[0] !== DER.octetString) return value;
  try {
    const element = readDer(value);
    return element.rest.length === 0 ? element.content : value;
  } catch {
    return value;
  }
}

/** The public half as its object shows it. Throws for an EC key without point, or whose curve has no name (RFC 5480 2.1.1). */
export function readPair(session: TokenSession, publicKey: Handle, keyType: number): TokenPair {
  if (keyType === CK.keyType.ec) {
    const [curve, point] = attributesOf(session, publicKey, [CK.attribute.ecParameters, CK.attribute.ecPoint]);
    if (curve?.[0] !== DER.oid || !point) throw new Error('the EC key of the token shows no named curve or no point');
    return { algorithm: 'ECDSA', curveOid: curve, compressedPoint: compressPoint(barePoint(point)) };
  }
  const [modulus, exponent] = attributesOf(session, publicKey, [CK.attribute.modulus, CK.attribute.publicExponent]);
  if (!modulus || !exponent) throw new Error('the RSA key of the token shows no modulus');
  return { algorithm: 'RSA', modulus: withoutLeadingZeros(modulus), exponent: withoutLeadingZeros(exponent) };
}

/** Removes objects of the token for good. */
export function destroyAll(session: TokenSession, objects: readonly Handle[]): void {
  session.objects.clear();
  for (const object of objects) session.cryptoki.C_DestroyObject(session.handle, object);
}
