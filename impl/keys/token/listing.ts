import { setImmediate as nextTurn } from 'node:timers/promises';
import { CK, type Handle, isSessionLost, ulongOf } from './cryptoki.ts';
import type { TokenObject, TokenOutcome } from './messages.ts';
import { attributesOf, findAll, P256_OID } from './objects.ts';
import type { TokenSession } from './token-slot.ts';

const OBJECTS_A_TURN = 32;

/** An attribute that the module may not know or not give. */
function attributeOf(session: TokenSession, object: Handle, type: number): Buffer | undefined {
  try {
    return attributesOf(session, object, [type])[0];
  } catch (error) {
    if (isSessionLost(error)) throw error;
    return undefined;
  }
}

function algorithmOf(session: TokenSession, object: Handle): string {
  const type = attributeOf(session, object, CK.attribute.keyType);
  switch (type && ulongOf(type)) {
    case CK.keyType.ec:
      return attributeOf(session, object, CK.attribute.ecParameters)?.equals(P256_OID) ? 'ec-p256' : 'ec';
    case CK.keyType.rsa:
      return `rsa-${(attributeOf(session, object, CK.attribute.modulus)?.length ?? 0) * 8}`;
    case CK.keyType.aes:
      return 'aes';
    case CK.keyType.genericSecret:
      return attributeOf(session, object, CK.attribute.sign)?.[0] === 1 ? 'hmac-sha256' : 'symmetric';
    default:
      return 'other';
  }
}

/** Every secret and private key of the token; others get their turn between them. */
export async function listObjects(session: TokenSession): Promise<TokenOutcome> {
  const objects: TokenObject[] = [];
  for (const objectClass of ['secretKey', 'privateKey'] as const) {
    for (const [index, object] of findAll(session, objectClass, undefined).entries()) {
      if (index % OBJECTS_A_TURN === OBJECTS_A_TURN - 1) await nextTurn();
      objects.push({
        label: attributeOf(session, object, CK.attribute.label)?.toString('utf8') ?? '',
        kind: objectClass === 'secretKey' ? 'key' : 'key-pair',
        algorithm: algorithmOf(session, object),
        extractable: attributeOf(session, object, CK.attribute.extractable)?.[0] !== 0,
      });
    }
  }
  return { outcome: 'done', objects };
}
