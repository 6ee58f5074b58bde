import { type EstAnswer, EstError } from './answer.ts';

/** Redirects of one request that are followed; more is a circle. */
export const MOST_REDIRECTS = 3;

/**
 * Where an answer sends the request on, or undefined when it is no redirect that keeps it as it is: 307 and 308, and for GET also 301, 302
 * and 303 (RFC 9110 15.4: a POST may become a GET there). Only the same origin gets the credentials (RFC 7030 3.2.1).
 *
 * @throws EstError for another origin, and for a target that is none.
 */
export function redirectTarget(answer: EstAnswer, url: string, method: 'GET' | 'POST'): string | undefined {
  const keeps = answer.status === 307 || answer.status === 308;
  const fetches = method === 'GET' && [301, 302, 303].includes(answer.status);
  const location = answer.headers['location'];
  if ((!keeps && !fetches) || location === undefined) return undefined;
  if (!URL.canParse(location, url))
    throw new EstError('EST server redirected to something that is no address', { status: answer.status });
  const target = new URL(location, url);
  if (target.origin !== new URL(url).origin) {
    throw new EstError(
      `EST server redirected to ${target.origin}, another origin; set the URL to it if that is right`,
      {
        status: answer.status,
      },
    );
  }
  target.hash = '';
  return target.href;
}
