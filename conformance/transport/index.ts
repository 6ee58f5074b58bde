import type { Checklist, Group } from '../runner/index.ts';
import { emptyConfiguration, processLife } from './process.ts';
import { transportRequests } from './requests.ts';
import { slots } from './slots.ts';
import { version } from './versions.ts';

export { bodyWithheld, busyConnections, garbageInsteadOfHttp, twelveConnections } from './probes.ts';
export const transportGroups: readonly Group[] = [
  ...transportRequests,
  version,
  ...slots,
  ...processLife,
  emptyConfiguration,
];

/** transport.md, checklist of sixty. */
export const transportChecklist: Checklist = {
  prefix: 'TR',
  count: 60,
  without: {
    22: 'judged as KS-048 (keyd is the only daemon with base64 members)',
    42: 'a TCP endpoint cannot be configured; TR-041 shows that such values are ignored',
    43: 'judged by every requirement on authorisation; from the inside: impl/ipc/serve.test.ts',
    46: 'judged as KS-032, CS-017 and IS-038',
    51: 'judged as KS-035 and KS-036',
    52: 'judged as TPM-037',
    56: 'the name is chosen by the driver of these tests; see test/launcher.test.ts',
    57: 'running out of descriptors cannot be brought about from outside without changing the limits of the machine; listed in docs/differences/transport.md',
    58: 'the limit is longer than a requirement may take; listed in docs/differences/transport.md',
    59: 'waits for a minute: impl/cloud/retry.test.ts, on an injected clock, by this number',
    60: 'judged by identity#proxy/upper-case-with-password-proxy-saw',
  },
};
