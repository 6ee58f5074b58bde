// Stands in for systemd: listens on a Unix path or a TCP port, starts a command with that listener as descriptor 3, tells its pid, and
// is gone by SIGKILL, so that nothing but the command holds the listener and the socket file stays.
//   node pass-listener.mjs WHERE COMMAND [ARG …]      WHERE: a path, or `tcp`
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

const [where, command, ...args] = process.argv.slice(2);
const server = createServer();
server.listen(where === 'tcp' ? { port: 0, host: '127.0.0.1' } : { path: where }, () => {
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', where === 'tcp' ? 'inherit' : 'ignore', server._handle.fd],
    detached: true,
  });
  process.stdout.write(`${child.pid}\n`, () => process.kill(process.pid, 'SIGKILL'));
});
