import * as asn1 from 'asn1js';

const BASIC_CONSTRAINTS = '2.5.29.19';

/**
 * How many authorities may stand below the authority of this certificate, or `undefined` for no limit (RFC 5280
 * section 4.2.1.9).
 *
 * @param der a certificate that OpenSSL has parsed.
 */
export function pathLengthOf(der: Uint8Array): number | undefined {
  const value = findExtension(asn1.fromBER(new Uint8Array(der).buffer).result, BASIC_CONSTRAINTS);
  if (!value) return undefined;
  const constraints = asn1.fromBER(value).result;
  const limit =
    constraints instanceof asn1.Sequence
      ? constraints.valueBlock.value.find((part) => part instanceof asn1.Integer)
      : undefined;
  return limit?.valueBlock.valueDec;
}

/** The DER of one extension: `SEQUENCE { tbs SEQUENCE { …, [3] { SEQUENCE of SEQUENCE { oid, …, OCTET STRING } } } }`. */
function findExtension(certificate: asn1.BaseBlock, oid: string): ArrayBuffer | undefined {
  const tbs = childrenOf(certificate)[0];
  const wrapper = tbs && childrenOf(tbs).find((part) => part.idBlock.tagClass === 3 && part.idBlock.tagNumber === 3);
  const list = wrapper && childrenOf(wrapper)[0];
  for (const extension of list ? childrenOf(list) : []) {
    const parts = childrenOf(extension);
    const [id] = parts;
    const value = parts.at(-1);
    if (id instanceof asn1.ObjectIdentifier && id.valueBlock.toString() === oid && value instanceof asn1.OctetString) {
      return value.getValue();
    }
  }
  return undefined;
}

function childrenOf(block: asn1.BaseBlock): asn1.BaseBlock[] {
  return block instanceof asn1.Constructed || block instanceof asn1.Sequence ? block.valueBlock.value : [];
}
