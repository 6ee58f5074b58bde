import * as asn1 from 'asn1js';

/** DER of a certs-only signedData around the given certificates (RFC 5652 5.1), for tests. */
export function certsOnly(certificates: readonly Uint8Array[]): Buffer {
  const oid = (value: string) => new asn1.ObjectIdentifier({ value });
  const tagged = (value: asn1.BaseBlock[]) => new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value });
  const list = certificates.map((der) => asn1.fromBER(Uint8Array.from(der)).result);
  const signedData = new asn1.Sequence({
    value: [
      new asn1.Integer({ value: 1 }),
      new asn1.Set(),
      new asn1.Sequence({ value: [oid('1.2.840.113549.1.7.1')] }),
      ...(list.length > 0 ? [tagged(list)] : []),
      new asn1.Set(),
    ],
  });
  return Buffer.from(new asn1.Sequence({ value: [oid('1.2.840.113549.1.7.2'), tagged([signedData])] }).toBER());
}
