import type { Checklist } from '../runner/index.ts';

const at = (...ids: readonly string[]): readonly string[] => ids.map((id) => `identity#${id}`);
const clock = (file: string, why: string): string => `tested on an injected clock, as ${why}: ${file}`;

/**
 * cloud.md, checklist of sixty-two. Most are judged with identityd as a process while its recorded exchanges are replayed: each replay
 * compares the requests that DPS and hub see with those that they saw of the reference. `conformance/cloud-clients` judges those that no recording
 * holds; what is left waits for longer than a run may.
 */
export const cloudChecklist: Checklist = {
  prefix: 'CL',
  count: 62,
  recorded: {
    2: at('manual-sas/start', 'dps-symmetric/start'),
    3: at('dps-symmetric/start', 'host-forms/upper-case'),
    4: at('host-forms/device-id-space-equals'),
    5: at('host-forms/device-id-percent', 'manual-sas/get-percent'),
    6: at('manual-x509/start', 'dps-x509/start'),
    7: at('manual-sas/start', 'dps-symmetric/start'),
    8: at('offline/hub-untrusted-ca', 'dps-failures/untrusted-ca'),
    9: at('offline/hub-wrong-host-name', 'dps-failures/wrong-host-name'),
    10: at('manual-sas/start'),
    11: at('manual-sas/start', 'manual-x509/start', 'dps-symmetric/start', 'dps-x509/start'),
    12: at('dps-group/start', 'runtime/start'),
    13: at('dps-symmetric/start'),
    15: at('dps-symmetric/start'),
    16: at('dps-failures/poll-202-assigned'),
    17: at('dps-symmetric/start', 'dps-symmetric/device'),
    18: at('dps-symmetric/start', 'dps-symmetric/module'),
    19: at('dps-failures/register-200'),
    20: at('dps-failures/register-401'),
    21: at('dps-failures/register-404-empty'),
    22: at('dps-failures/register-400-html'),
    23: at('dps-failures/poll-failed'),
    24: at('dps-failures/poll-disabled', 'dps-failures/poll-unassigned'),
    25: at('dps-failures/poll-assigning-no-state'),
    26: at('dps-endless-assigning/token-expires-while-polling'),
    27: at('dps-failures/poll-connection-closed-once'),
    28: at('dps-failures/poll-no-hub'),
    29: at('dps-tpm/start', 'dps-tpm/tpmd-calls'),
    30: at('dps-tpm/challenge-202', 'dps-tpm/challenge-not-base64'),
    31: at('dps-group/start', 'dps-group/group-key-itself-used'),
    32: at('manual-sas/create'),
    33: at('manual-sas/create', 'manual-sas/update'),
    34: at('manual-sas/delete', 'manual-sas/delete-200', 'manual-sas/delete-404-message'),
    35: at('nested/start', 'nested/module', 'nested/gateway-with-port'),
    36: at('manual-sas/create-again'),
    37: at('nested/list-500-message', 'nested/list-500-empty', 'nested/list-503-message'),
    38: at('nested/list-503-network'),
    39: at('manual-sas/list-list-ca', 'manual-sas/update-get-auth-ca'),
    40: at('manual-sas/update-get-unknown-members', 'manual-sas/update-get-auth-null-members'),
    41: at('manual-sas/update-get-201'),
    42: at('dps-failures/refused-retries-0', 'dps-failures/refused-retries-2'),
    44: at('manual-sas/update-get-503-message', 'dps-failures/register-503-empty'),
    50: at('proxy/upper-case-with-password', 'proxy/upper-case-with-password-proxy-saw'),
    51: at('proxy/lower-case-proxy-saw', 'proxy/both-proxy-saw', 'proxy/no-proxy-ignored'),
    52: at('proxy/empty', 'proxy/garbage', 'proxy/bare-host-port'),
    53: at('proxy/both', 'proxy/both-proxy-saw'),
    54: at('manual-sas/update-get-302', 'dps-failures/register-302'),
  },
  without: {
    43: clock('impl/cloud/hub-client.test.ts', 'an attempt may last 70 s, no setting makes it shorter'),
    45: clock(
      'impl/cloud/retry.test.ts and impl/cloud/hub-client.test.ts',
      'its pauses are 60 s to 330 s; that the first one is kept is seen of the process: test/identity-retries.test.ts',
    ),
    46: clock('impl/cloud/retry.test.ts and impl/cloud/hub-client.test.ts', 'its pauses are 60 s to 330 s'),
    47: clock('impl/cloud/hub-client.test.ts', 'the pause is 60 s at least'),
    48: clock('impl/cloud/retry.test.ts', 'the pause is 60 s at least'),
    49: clock(
      'impl/cloud/retry.test.ts and impl/identity/provisioning-report.test.ts',
      'the pause is ten minutes; that it is kept is seen of the process: test/identity-retries.test.ts',
    ),
  },
};
