import { Socket } from 'node:net';
import { CHANNEL_FD, Channel } from '../../token/channel.ts';
import type { HostAnswer, HostReady, HostRequest, HostSetup } from '../../token/messages.ts';

// a token host whose module crashes in every task but `open`
const stream = new Socket({ fd: CHANNEL_FD });
const channel = new Channel<HostAnswer | HostReady, HostSetup | HostRequest>(stream, (message) => {
  if (!('task' in message)) return;
  if (message.task.task === 'open') channel.send({ id: message.id, result: { outcome: 'done' } });
  else process.kill(process.pid, 'SIGSEGV');
});
channel.send({ ready: true });
stream.on('close', () => process.exit(0));
