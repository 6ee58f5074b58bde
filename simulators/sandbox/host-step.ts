import { chmod, readFile } from 'node:fs/promises';
import { socketPath } from './daemon-configs.ts';
import { deliveredFiles } from './delivered-files.ts';
import type { HostOutcome } from './host-process.ts';
import { runHost } from './host-run.ts';
import { hostIsOther, runWithDaemons, type Scene } from './scene.ts';
import { StepFailure } from './step-failure.ts';

export type HostDone = Extract<HostOutcome, { kind: 'done' }>;

/** On a device a group opens the sockets to applications; here everybody may connect, and the daemons decide by uid. tpmd is for identityd alone. */
async function openSockets({ daemons }: Scene): Promise<void> {
  for (const { name, socketPath } of daemons.values()) if (name !== 'tpmd') await chmod(socketPath, 0o666);
}

/** An application on the device gets its identity, signs a token and uses it at the hub. */
export function hostStep(scene: Scene): Promise<HostDone> {
  const { folders, host, options, signal } = scene;
  const expected = 'the application gets its identity, signs a token and uses it';
  const plan = { name: 'host', title: `an application, as ${host.name}`, expected, remedy: 'read the lines below' };
  return runWithDaemons(scene, plan, 'identityd', async () => {
    if (hostIsOther(scene)) await openSockets(scene);
    const job = {
      ...(hostIsOther(scene) ? { user: { uid: host.uid, gid: host.gid } } : {}),
      identitydSocket: socketPath(folders, 'identityd'),
      keydSocket: socketPath(folders, 'keyd'),
      caPem: await readFile(deliveredFiles(folders).rootCa, 'utf8'),
      cloud: options.cloud,
    };
    const value = await runHost(job, signal);
    if (value.kind === 'failed') throw new StepFailure({ step: plan.name, ...value });
    return { value, detail: value.sasAccepted ? 'token accepted, a tampered one refused' : 'token signed' };
  });
}
