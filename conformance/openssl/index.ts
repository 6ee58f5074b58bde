import type { Checklist, Group } from '../runner/index.ts';
import { answers } from './answers.ts';
import { certificates } from './certificates.ts';
import { connections } from './connections.ts';
import { keyLives } from './key-lives.ts';
import { loading } from './loading.ts';
import { signing } from './signing.ts';

export const opensslGroups: readonly Group[] = [loading, signing, certificates, connections, keyLives, answers];

const PROVIDER = 'comes with the OpenSSL provider, which is not built yet; listed in docs/differences/openssl.md';

/** openssl.md, checklist of forty. */
export const opensslChecklist: Checklist = {
  prefix: 'SSL',
  count: 40,
  without: Object.fromEntries([35, 36, 37, 38, 39, 40].map((number) => [number, PROVIDER])),
};
