import type { Checklist, Group } from '../runner/index.ts';
import { certificates } from './certificates.ts';
import { identity } from './identity.ts';
import { keys } from './keys.ts';
import { takenOver } from './taken-over.ts';
import { refusals, transport } from './transport.ts';
import { whole } from './whole.ts';

export const edgeGroups: readonly Group[] = [transport, refusals, identity, keys, certificates, whole, takenOver];

/** edge-runtime.md, checklist of thirty-two. */
export const edgeChecklist: Checklist = {
  prefix: 'EDGE',
  count: 32,
  without: {},
};
