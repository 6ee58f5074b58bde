import type { X509Certificate } from 'node:crypto';
import type { FrontDoorAnswer } from '../common/index.ts';
import { bodyOf, CERTS_ONLY_TYPE, certsOnly, dataMessage } from './certs-only.ts';
import type { EstQuirks } from './quirks.ts';

function messageOf(certificates: readonly X509Certificate[], quirks: EstQuirks): Buffer {
  if (quirks.wrongMessageType) return dataMessage();
  if (quirks.empty) return certsOnly([]);
  return certsOnly(quirks.duplicates ? [...certificates, ...certificates] : certificates);
}

/** 200 with the certificates in a certs-only message, or what the quirks make of it. */
export function certificatesAnswer(certificates: readonly X509Certificate[], quirks: EstQuirks): FrontDoorAnswer {
  const type = quirks.missingContentType ? {} : { 'content-type': quirks.contentType ?? CERTS_ONLY_TYPE };
  const pace = quirks.slowBytesMilliseconds === undefined ? {} : { millisecondsPerByte: quirks.slowBytesMilliseconds };
  return {
    status: quirks.created ? 201 : 200,
    headers: { ...type, 'content-transfer-encoding': 'base64' },
    body: bodyOf(messageOf(certificates, quirks), quirks.body ?? (quirks.unwrappedBase64 ? 'unwrapped' : 'wrapped')),
    ...pace,
  };
}
