import { Set as Asn1Set, fromBER, ObjectIdentifier, Sequence, Utf8String } from 'asn1js';

const ORGANIZATION = '2.5.4.10';
const TEST_MARK = 'TEST ONLY';

const toBuffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

/**
 * The name with a last `O=TEST ONLY`, unless it says TEST already; what was there keeps its bytes.
 *
 * @param name DER of a Name; so is the answer.
 */
export function markForTests(name: Uint8Array): Buffer {
  if (Buffer.from(name).includes('TEST')) return Buffer.from(name);
  const { result } = fromBER(toBuffer(name));
  const old = result instanceof Sequence ? result.valueBlock.value : [];
  const mark = new Sequence({
    value: [new ObjectIdentifier({ value: ORGANIZATION }), new Utf8String({ value: TEST_MARK })],
  });
  return Buffer.from(new Sequence({ value: [...old, new Asn1Set({ value: [mark] })] }).toBER());
}
