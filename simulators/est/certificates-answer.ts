import type { FrontDoorAnswer } from '../common/index.ts';
import {
  bodyOf,
  CERTS_ONLY_TYPE,
  certsOnly,
  certsOnlyIndefinite,
  dataMessage,
  withoutCertificates,
} from './certs-only.ts';
import type { EstQuirks } from './quirks.ts';

/** What an answer may hold, DER. */
export interface AnswerParts {
  readonly certificates: readonly Buffer[];
  /** For the quirks alone, made only where one asks for it. */
  readonly crls: () => readonly Buffer[];
  readonly strangers: () => readonly Buffer[];
}

/** The PKCS#7 message with the certificates, or what the quirks make of it. */
function messageOf({ certificates, crls, strangers }: AnswerParts, quirks: EstQuirks): Buffer {
  if (quirks.wrongMessageType) return dataMessage();
  if (quirks.noCertificates) return withoutCertificates();
  if (quirks.empty) return certsOnly([]);
  const once = quirks.extraRoots ? [...certificates, ...strangers()] : certificates;
  const list = quirks.duplicates ? [...once, ...once] : once;
  if (quirks.indefiniteLengths) return certsOnlyIndefinite(list);
  return certsOnly(list, quirks.crls ? crls() : []);
}

/** Headers of an answer with this type, or what the quirks make of them. */
export function headersOf(type: string, quirks: EstQuirks): Record<string, string> {
  return {
    ...(quirks.missingContentType ? {} : { 'content-type': quirks.contentType ?? type }),
    ...(quirks.missingTransferEncoding ? {} : { 'content-transfer-encoding': 'base64' }),
  };
}

export const statusOf = (quirks: EstQuirks): number => quirks.status ?? (quirks.created ? 201 : 200);

/** The text of a certs-only message in the form that the quirks ask for. */
export function certificatesBody(parts: AnswerParts, quirks: EstQuirks): Buffer | string {
  return bodyOf(messageOf(parts, quirks), quirks.body ?? (quirks.unwrappedBase64 ? 'unwrapped' : 'wrapped'));
}

/** 200 with the certificates in a certs-only message, or what the quirks make of it. */
export function certificatesAnswer(parts: AnswerParts, quirks: EstQuirks): FrontDoorAnswer {
  return {
    status: statusOf(quirks),
    headers: headersOf(CERTS_ONLY_TYPE, quirks),
    body: certificatesBody(parts, quirks),
  };
}
