// The host process: an application on the device, as a process and a Unix user of its own. Reads its job from standard
// input and writes what became of it to standard output, both JSON.
import { text } from 'node:stream/consumers';
import { type HostJob, type HostOutcome, playHost } from './host-process.ts';
import { reasonOf } from './step-failure.ts';

function become({ uid, gid }: { uid: number; gid: number }): void {
  process.setgroups?.([gid]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

async function main(): Promise<HostOutcome> {
  const job = JSON.parse(await text(process.stdin)) as HostJob;
  if (job.user) become(job.user);
  return playHost(job, Date.now).catch((error: unknown) => ({
    kind: 'failed',
    expected: 'the host process reaches identityd, keyd and the hub',
    came: reasonOf(error),
    remedy: 'see that its user may enter the folder of the sockets, and that the daemons run',
  }));
}

process.stdout.write(JSON.stringify(await main()));
