import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { World } from '../runner/index.ts';

const run = promisify(execFile);
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n?/g;

/** The certificates of a PEM text, leaf first. */
export function certificates(pem: string): string[] {
  return pem.match(CERTIFICATE) ?? [];
}

/** Has OpenSSL verify a chain against the certificates of a bundle, any of which may be the anchor. */
export async function verifyChain(world: World, chain: string, bundle: string): Promise<void> {
  const [leaf = '', ...rest] = certificates(chain);
  const files = {
    leaf: await world.file('verify/leaf.pem', leaf),
    rest: await world.file('verify/rest.pem', rest.join('') || leaf),
    bundle: await world.file('verify/bundle.pem', bundle),
  };
  const args = ['verify', '-partial_chain', '-CAfile', files.bundle, '-untrusted', files.rest, files.leaf];
  const { stdout } = await run('openssl', args);
  assert.match(stdout, /: OK$/m);
}

/** The text that OpenSSL prints for a certificate. */
export async function printed(world: World, pem: string, ...options: readonly string[]): Promise<string> {
  const file = await world.file('verify/print.pem', pem);
  const { stdout } = await run('openssl', ['x509', '-in', file, '-noout', ...options]);
  return stdout;
}

/** Makes a TEST certificate authority with the openssl command: `secrets/<name>.pem` and `secrets/<name>.key.pem`. */
export async function makeAuthority(world: World, name: string): Promise<void> {
  const key = await world.file(`secrets/${name}.key.pem`, '', 0o600);
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '365', '-subj', `/CN=TEST ${name}`];
  await run('openssl', [...args, '-keyout', key, '-out', world.path('secrets', `${name}.pem`)]);
}
