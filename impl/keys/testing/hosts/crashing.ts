// a token host whose module crashes in every task but `open`
process.on('message', (message: { id?: number; task?: { task: string } }) => {
  if (message.task?.task === 'open') process.send?.({ id: message.id, result: { outcome: 'done' } });
  else if (message.task) process.kill(process.pid, 'SIGSEGV');
});
process.on('disconnect', () => process.exit(0));
