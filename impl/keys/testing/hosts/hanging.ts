// a token host whose module hangs in every task but `open`
process.on('message', (message: { id?: number; task?: { task: string } }) => {
  if (message.task?.task === 'open') process.send?.({ id: message.id, result: { outcome: 'done' } });
});
process.on('disconnect', () => process.exit(0));
