import { createHash } from 'node:crypto';
import type { Enrollment } from './enrollment.ts';
import type { HubLink } from './hub-link.ts';

/** What a custom allocation is asked; `payload` is what the device sent, `undefined` for none. */
export interface AllocationRequest {
  registrationId: string;
  enrollment: string;
  linkedHubs: string[];
  currentHub?: string;
  payload: unknown;
}

/** What a custom allocation answers; `payload` goes to the device. */
export interface AllocationAnswer {
  hubHostName: string;
  payload?: unknown;
}

/** The callback that stands for the webhook of a custom allocation (spec cloud.md 9.11). */
export type Allocate = (request: AllocationRequest) => AllocationAnswer | Promise<AllocationAnswer>;

/** Why no hub was chosen: what a device reads in `errorCode` and `errorMessage` of a failed registration. */
export class AllocationFailure extends Error {
  readonly errorCode: number;

  constructor(errorCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.errorCode = errorCode;
  }
}

const WEBHOOK_FAILED = 400207;
const WEBHOOK_ANSWER_INVALID = 400208;
const HUB_NOT_LINKED = 400209;

/** What the choice of a hub rests on. */
export interface HubChoice {
  enrollment: Enrollment;
  registrationId: string;
  hubs: readonly HubLink[];
  currentHub: string | undefined;
  payload: unknown;
  allocate: Allocate | undefined;
}

/**
 * Chooses the hub of a device and, for a custom allocation, the payload that goes back to it. A device whose policy
 * keeps the assignment stays where it is while that hub is linked (hub-dps-protocols.md A.9).
 *
 * @throws AllocationFailure when no linked hub fits or the callback failed.
 */
export async function chooseHub(choice: HubChoice): Promise<{ hub: HubLink; payload?: unknown }> {
  const { enrollment, registrationId, hubs, currentHub } = choice;
  if (currentHub !== undefined && !enrollment.reprovision.updateHubAssignment) {
    const current = hubs.find((hub) => isSameHost(hub.hostName, currentHub));
    if (current) return { hub: current };
  }
  const candidates =
    enrollment.hubs.length === 0
      ? hubs
      : enrollment.hubs.flatMap((name) => hubs.filter((hub) => isSameHost(hub.hostName, name)));
  const [first] = candidates;
  if (!first) throw new AllocationFailure(HUB_NOT_LINKED, 'no linked hub matches the enrolment');
  switch (enrollment.allocation) {
    case 'static':
      return { hub: first };
    case 'hashed':
      return { hub: candidates[stableIndex(registrationId, candidates.length)] ?? first };
    case 'custom':
      return askCallback(choice, candidates);
  }
}

async function askCallback(
  choice: HubChoice,
  candidates: readonly HubLink[],
): Promise<{ hub: HubLink; payload?: unknown }> {
  const { allocate, enrollment, registrationId, currentHub, payload } = choice;
  if (!allocate)
    throw new AllocationFailure(WEBHOOK_FAILED, 'the enrolment asks for custom allocation and no callback is set');
  let answer: AllocationAnswer;
  try {
    answer = await allocate({
      registrationId,
      enrollment: enrollment.kind === 'individual' ? enrollment.registrationId : enrollment.groupId,
      linkedHubs: candidates.map((hub) => hub.hostName),
      ...(currentHub === undefined ? {} : { currentHub }),
      payload,
    });
  } catch (cause) {
    throw new AllocationFailure(WEBHOOK_FAILED, cause instanceof Error ? cause.message : 'custom allocation failed', {
      cause,
    });
  }
  if (typeof answer?.hubHostName !== 'string') {
    throw new AllocationFailure(WEBHOOK_ANSWER_INVALID, 'custom allocation answered without a hub');
  }
  const hub = candidates.find((candidate) => isSameHost(candidate.hostName, answer.hubHostName));
  if (!hub)
    throw new AllocationFailure(HUB_NOT_LINKED, `custom allocation chose ${answer.hubHostName}, which is not linked`);
  return answer.payload === undefined ? { hub } : { hub, payload: answer.payload };
}

/** Whether two host names (with or without port) are the same host. */
export function isSameHost(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

function stableIndex(registrationId: string, count: number): number {
  return createHash('sha256').update(registrationId.toLowerCase()).digest().readUInt32BE(0) % count;
}
