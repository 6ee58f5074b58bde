import type { X509Certificate } from 'node:crypto';

/** What the service tells about the certificate of a device (hub-dps-protocols.md A.2). */
export function certificateInfo(certificate: X509Certificate): object {
  return {
    subjectName: commaNames(certificate.subject),
    sha1Thumbprint: certificate.fingerprint.replaceAll(':', ''),
    sha256Thumbprint: certificate.fingerprint256.replaceAll(':', ''),
    issuerName: commaNames(certificate.issuer),
    notBeforeUtc: certificate.validFromDate.toISOString(),
    notAfterUtc: certificate.validToDate.toISOString(),
    serialNumber: certificate.serialNumber,
    version: 3,
  };
}

function commaNames(multiLine: string): string {
  return multiLine.split('\n').join(', ');
}
