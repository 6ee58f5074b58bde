import type { HttpsResponse } from '../https/index.ts';
import { type Certificate, Pkcs7Error, readCertificate, readCertsOnlyPkcs7 } from '../x509/index.ts';
import type { EstOperation } from './target.ts';

/** Why an enrolment brought no certificate. */
export class EstError extends Error {
  override readonly name = 'EstError';
  readonly status: number | undefined;

  constructor(message: string, options: { readonly status?: number; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = options.status;
  }
}

/** The part of an answer that is looked at. */
export type EstAnswer = Pick<HttpsResponse, 'status' | 'headers' | 'body'>;

const DEFAULT_RETRY_AFTER_MS = 60_000;
const LONGEST_RETRY_AFTER_MS = 3_600_000;
const MEDIA_TYPE = 'application/pkcs7-mime';

/**
 * Milliseconds to wait after a 202: seconds or HTTP date of `Retry-After`, 60 s without it, between 1 s and 1 h (spec/est.md 4.1).
 */
export function retryAfterMs(answer: EstAnswer, now: number): number {
  const text = answer.headers['retry-after']?.trim() ?? '';
  const wanted = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Math.min(LONGEST_RETRY_AFTER_MS, Math.max(1000, Number.isNaN(wanted) ? DEFAULT_RETRY_AFTER_MS : wanted));
}

/**
 * Certificates of a final answer, in the order of the PKCS#7 (spec/est.md 2.1): status exactly 200, content type PKCS#7 ignoring case.
 * A CA list may be empty; an enrolment may not.
 *
 * @throws EstError naming the operation and what was wrong.
 */
export function certificatesOf(operation: EstOperation, answer: EstAnswer): Certificate[] {
  if (answer.status !== 200) {
    throw new EstError(`EST server answered ${answer.status} to ${operation}: ${excerpt(answer.body)}`, {
      status: answer.status,
    });
  }
  const type = answer.headers['content-type'];
  if (type?.split(';', 1)[0]?.trim().toLowerCase() !== MEDIA_TYPE) {
    throw new EstError(`EST server answered ${operation} with content type "${type ?? ''}" in place of ${MEDIA_TYPE}`);
  }
  try {
    return readCertsOnlyPkcs7(answer.body).map(readCertificate);
  } catch (cause) {
    const empty = cause instanceof Pkcs7Error && cause.fault !== 'not-pkcs7';
    if (empty && operation === 'cacerts') return [];
    throw new EstError(`EST server answered ${operation} without usable certificates`, { cause });
  }
}

function excerpt(body: Uint8Array): string {
  const text = Buffer.from(body.subarray(0, 200)).toString('utf8');
  return JSON.stringify(text.replace(/[^\x20-\x7e]+/g, ' ').trim());
}
