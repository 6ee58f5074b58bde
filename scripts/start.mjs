// `npm start`: the set-up, then the sandbox with the arguments given. Runs on Node 20 or newer.
import { join } from 'node:path';
import { runForeground } from './child.mjs';
import { ROOT, setUp } from './setup.mjs';

/** npm starts this through a shell and hands a signal to that shell alone: where it has gone, stop as it was told to. */
function stopWithShell() {
  const shell = process.ppid;
  setInterval(() => {
    if (process.ppid !== shell) process.kill(process.pid, 'SIGTERM');
  }, 250).unref();
}

try {
  if (process.env.npm_lifecycle_event !== undefined) stopWithShell();
  const { node, aptLine } = await setUp();
  const env = {
    NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/aziot-sandbox'),
    ...process.env,
    ...(aptLine === undefined ? {} : { AZIOT_SANDBOX_APT: aptLine }),
  };
  process.exitCode = await runForeground(node, [join(ROOT, 'simulators/sandbox/main.ts'), ...process.argv.slice(2)], {
    env,
  });
} catch (error) {
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exitCode = 1;
}
