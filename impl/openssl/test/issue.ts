/** Key pairs in a keyd, and certificates that the openssl command line issues with them through the engine. */
import { writeFileSync } from 'node:fs';
import type { RealKeyd } from './real-keyd.ts';
import type { World } from './world.ts';

/** Handles of the pairs of a CA, a server and a client. */
export type ThreeHandles = Readonly<Record<'ca' | 'server' | 'client', string>>;

/** Arguments that name a private key of the engine by a handle. */
export function engineKeyOf(option: string, handle: string): string[] {
  return ['-engine', 'aziot_keys', '-keyform', 'engine', option, handle];
}

/** Runs a program that has to succeed. */
export async function mustRun(world: World, command: readonly string[]): Promise<void> {
  const { exit, stderr } = await world.run(command);
  if (exit !== 0) throw new Error(`${command.slice(0, 3).join(' ')} ended with ${exit}: ${stderr}`);
}

export async function makeThreePairs(keyd: RealKeyd, algorithm: string): Promise<ThreeHandles> {
  return {
    ca: await keyd.makePair('ca', algorithm),
    server: await keyd.makePair('server', algorithm),
    client: await keyd.makePair('client', algorithm),
  };
}

/** A CA in `ca.pem`, and certificates by it in `server.pem` and `client.pem`, all signed by keys in keyd. */
export async function issueWithEngine(world: World, handles: ThreeHandles): Promise<void> {
  const root = [
    '-subj',
    '/CN=TEST ca',
    '-days',
    '365',
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-out',
    'ca.pem',
  ];
  await mustRun(world, ['openssl', 'req', '-x509', '-new', '-sha256', ...engineKeyOf('-key', handles.ca), ...root]);
  const caKey = ['-CA', 'ca.pem', '-CAkeyform', 'engine', '-engine', 'aziot_keys', '-CAkey', handles.ca];
  for (const name of ['server', 'client'] as const) {
    const subject = ['-subj', `/CN=TEST ${name}`, '-out', 'leaf.csr'];
    await mustRun(world, ['openssl', 'req', '-new', ...engineKeyOf('-key', handles[name]), ...subject]);
    writeFileSync(world.file('ext'), `subjectAltName=IP:127.0.0.1\nextendedKeyUsage=${name}Auth\n`);
    const more = ['-extfile', 'ext', '-days', '30', '-out', `${name}.pem`];
    await mustRun(world, ['openssl', 'x509', '-req', '-sha256', '-in', 'leaf.csr', ...caKey, ...more]);
    await mustRun(world, ['openssl', 'verify', '-CAfile', 'ca.pem', `${name}.pem`]);
  }
}
