import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CertificatePair,
  cloudTarget,
  type DpsTarget,
  expectAnswer,
  isText,
  needed,
  type ServiceAnswer,
  sasToken,
  send,
} from '../azure/index.ts';
import type { Context } from '../runner/index.ts';

/** The version that the identity service uses. */
export const VERSION = 'api-version=2021-06-01';
const ASSIGNED_WITHIN_MS = 60_000;

/** The DPS of the run. Skips where only a hub is described. */
export async function dpsOf(context: Context): Promise<DpsTarget> {
  const { dps } = await cloudTarget();
  return dps ?? context.skip('no provisioning service is described');
}

/** What a device shows: a token, a certificate, or nothing. */
export interface Shown {
  readonly token?: string | undefined;
  readonly client?: CertificatePair | undefined;
}

export const pathOf = ({ scopeId }: DpsTarget, registrationId: string): string =>
  `/${scopeId}/registrations/${encodeURIComponent(registrationId)}`;

/** A token as the identity service makes it: the resource in lower case, ten minutes, policy `registration`. */
export function tokenOf(
  dps: DpsTarget,
  device: { readonly registrationId: string; readonly primaryKey: string },
  more: { readonly lifetimeSeconds?: number; readonly policy?: string; readonly signed?: string } = {},
): string {
  const resource = `${dps.scopeId}/registrations/${device.registrationId}`.toLowerCase();
  return sasToken({ resource, key: device.primaryKey, policy: 'registration', ...more });
}

/** The device that is enrolled by symmetric key, and a token of it. */
export async function keyed(context: Context) {
  const dps = await dpsOf(context);
  const device = needed(context, dps.symmetric, 'symmetric');
  return { dps, device, id: device.registrationId, shown: { token: tokenOf(dps, device) } };
}

/** `PUT …/register`; the body names the registration, with what else is given. */
export function register(
  dps: DpsTarget,
  registrationId: string,
  shown: Shown,
  more: object = {},
): Promise<ServiceAnswer> {
  const target = `${pathOf(dps, registrationId)}/register?${VERSION}`;
  return send(dps, { method: 'PUT', target, body: { registrationId, ...more }, ...shown });
}

/** `GET …/operations/ID`. */
export function poll(
  dps: DpsTarget,
  registrationId: string,
  operationId: string,
  shown: Shown,
): Promise<ServiceAnswer> {
  return send(dps, {
    method: 'GET',
    target: `${pathOf(dps, registrationId)}/operations/${encodeURIComponent(operationId)}?${VERSION}`,
    ...shown,
  });
}

/** The operation id of a registration that was taken. */
export function operationOf(answer: ServiceAnswer): string {
  const { operationId } = expectAnswer(answer, 202, 200);
  assert.ok(isText(operationId), `no operationId: ${answer.body}`);
  return operationId;
}

/** How a registration ended. */
export interface Ended {
  readonly operationId: string;
  /** Status 200, the body of the last poll. */
  readonly body: Record<string, unknown>;
  readonly state: Record<string, unknown>;
}

/** Registers, and polls until the operation is no longer `assigning`: at once, once more, then as often as the service asks to. */
export async function ended(dps: DpsTarget, registrationId: string, shown: Shown, more: object = {}): Promise<Ended> {
  const operationId = operationOf(await register(dps, registrationId, shown, more));
  const deadline = performance.now() + ASSIGNED_WITHIN_MS;
  for (let polls = 1; ; polls += 1) {
    const answer = await poll(dps, registrationId, operationId, shown);
    const body = expectAnswer(answer, 200, 202);
    if (body['status'] !== 'assigning' && body['status'] !== 'unassigned') {
      const state = body['registrationState'];
      return { operationId, body, state: typeof state === 'object' ? { ...state } : {} };
    }
    assert.ok(performance.now() < deadline, `still assigning after ${ASSIGNED_WITHIN_MS} ms`);
    if (polls > 1) await sleep(Number(answer.headers['retry-after'] ?? 2) * 1000);
  }
}

/** Registers and expects an assignment; gives the registration state. */
export async function assigned(
  dps: DpsTarget,
  registrationId: string,
  shown: Shown,
  more: object = {},
): Promise<Record<string, unknown>> {
  const { body, state } = await ended(dps, registrationId, shown, more);
  assert.equal(body['status'], 'assigned', `status ${JSON.stringify(body)}`);
  return state;
}
