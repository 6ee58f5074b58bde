import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A CSR by openssl with a new P-256 key that stays in `folder`. PEM. */
export function makeRequest(folder: string, subject: string): string {
  const out = join(folder, 'request.pem');
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    join(folder, 'request.key'),
  ];
  execFileSync('openssl', ['req', '-new', ...key, '-subj', subject, '-out', out], { stdio: 'ignore' });
  return readFileSync(out, 'utf8');
}
