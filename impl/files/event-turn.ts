let turn: Promise<void> | undefined;

/**
 * Settles when the event loop has taken in all that had happened before this call, file events too: a request that arrived after a change
 * of a file then finds it. All calls of one turn share one wait.
 */
export function eventTurn(): Promise<void> {
  turn ??= new Promise((resolve) => {
    setImmediate(() => {
      turn = undefined;
      resolve();
    });
  });
  return turn;
}
