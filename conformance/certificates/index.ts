import type { Checklist, Group, Scenario } from '../runner/index.ts';
import { disturbed } from './disturbed.ts';
import { goldenCertificates, goldenCertificatesOnToken } from './golden-certificates.ts';
import { reload } from './reload.ts';
import { badBodies, issuance, store } from './service.ts';

export const certificatesGroups: readonly Group[] = [store, badBodies, issuance, disturbed, reload];
export const certificatesGolden: readonly Scenario[] = [goldenCertificates, goldenCertificatesOnToken];

/** certificates-service.md, checklist of eighty. */
export const certificatesChecklist: Checklist = {
  prefix: 'CS',
  count: 80,
  without: {
    1: 'judged as TR-001/certd',
    2: 'judged as TR-003/certd',
    3: 'judged as TR-006/certd',
    4: 'judged as TR-002/certd',
    5: 'judged by certificates#collection-get',
    6: 'judged as TR-011/certd',
    7: 'judged by certificates#empty-segment and certificates#extra-segment',
    8: 'judged by certificates#get-slash',
    9: 'judged by certificates#bad-utf8-segment',
    14: 'judged by certificates#put-root',
    18: 'judged as TR-017/certd',
    19: 'judged by certificates#put-no-type',
    20: 'judged by certificates#put-charset',
    21: 'judged as TR-018/certd',
    22: 'judged by certificates#put-malformed-before-auth',
    23: 'judged by certificates#put-extra',
    25: 'judged by certificates#delete-absent',
    27: 'judged by certificates#delete-bad-json',
    28: 'judged as TR-013/certd',
    29: 'judged as TR-014/certd',
    32: 'judged by certificates#csr-new-label',
    33: 'judged by certificates#post-issuer-half',
    34: 'judged by certificates#issuer-null',
    36: 'judged by certificates#issuer-empty-file',
    38: 'judged by certificates#issuer-for-est-id',
    39: 'judged by certificates#issuer-chain',
    40: 'judged by certificates#self-signed',
    42: 'judged by certificates#self-signed-mismatch',
    43: 'judged by certificates#local-ca-missing',
    45: 'judged by certificates#csr-own-ski',
    46: 'judged by certificates#csr-ca-true',
    47: 'judged by certificates#local-ca',
    48: 'judged by certificates#local-ca',
    49: 'judged by certificates#issuer-ten-days',
    50: 'judged by certificates#issuer-expired',
    52: 'judged by certificates#issuer-p384',
    54: 'judged by certificates#subj',
    55: 'judged by certificates#subj-lower',
    56: 'judged by certificates#subj-unknown and certificates#subj-unknown-get',
    57: 'judged by certificates#expiry-zero',
    58: 'judged as TR-044/certd',
    59: 'judged as TR-045/certd',
    60: 'judged as TR-045/certd',
    61: 'judged as TR-047/certd and TR-048/certd',
    65: 'judged by certificates#loaded-missing-put and certificates#loaded-get',
    69: 'judged by certificates#preloaded-cycle',
    70: 'judged by certificates#bundle-no-newline',
    71: 'judged by certificates#preloaded-der-20-times',
    72: 'judged as TR-027/certd',
    73: 'judged as TR-021/certd',
    78: 'judged as TR-020/certd',
    79: 'judged as TR-041/certd',
    80: 'judged by certificates#loaded-web',
  },
};
