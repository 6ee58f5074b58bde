import type { X509Certificate } from 'node:crypto';
import type { Context } from '../runner/index.ts';
import type { EstAnswer } from './client.ts';
import { certificatesOf } from './openssl.ts';

/** Rejects with what was wanted and what came. */
export function expectThat(what: string, holds: boolean, came: unknown): void {
  if (!holds) throw new Error(`expected ${what}, got ${String(came).slice(0, 500)}`);
}

export function expectStatus(answer: EstAnswer, ...statuses: readonly number[]): EstAnswer {
  expectThat(`status ${statuses.join(' or ')}`, statuses.includes(answer.status), `${answer.status}: ${answer.body}`);
  return answer;
}

/** 4xx: the caller's fault, said so. */
export function expectRefused(answer: EstAnswer): EstAnswer {
  expectThat(
    'a status from 400 to 499',
    answer.status >= 400 && answer.status < 500,
    `${answer.status}: ${answer.body}`,
  );
  return answer;
}

/** The only certificate of an enrolment that succeeded. */
export async function leafOf(answer: EstAnswer): Promise<X509Certificate> {
  const certificates = await certificatesOf(expectStatus(answer, 200).body);
  const [leaf, more] = certificates;
  if (!leaf || more) throw new Error(`expected one certificate, got ${certificates.length}`);
  return leaf;
}

/** What the target must have, else the requirement is skipped. */
export function needed<T>(context: Context, value: T | undefined, name: string): T {
  return value === undefined ? context.skip(`the description of the server has no "${name}"`) : value;
}
