import { expect, it } from 'vitest';
import type { Daemon, DaemonName } from './daemon-process.ts';
import { troubleIn } from './log-digest.ts';

function daemon(name: DaemonName, lines: readonly string[]): Daemon {
  return {
    name,
    pid: 1,
    socketPath: '',
    exit: () => undefined,
    ended: new Promise(() => {}),
    logTail: (count) => lines.slice(-count),
    stop: async () => {},
  };
}
const info = '<6>2026-01-31T08:15:00Z [INFO] - --> 200 OK';
const cause = '<6>2026-01-31T08:15:00Z [INFO] - !!! could not create cert';
const error = '<3>2026-01-31T08:15:00Z [ERR!] - no token';

it('errors and warnings of every daemon are shown, and nothing else', () => {
  const warning = '<4>2026-01-31T08:15:00Z [WARN] - trying again';
  const logs = troubleIn(
    [daemon('keyd', [info, error]), daemon('certd', [cause, info]), daemon('identityd', [warning, 'caused by: it'])],
    undefined,
  );
  expect(logs).toEqual([
    { daemon: 'keyd', lines: [error] },
    { daemon: 'identityd', lines: [warning, 'caused by: it'] },
  ]);
});

it('refusals are shown where nothing worse was logged', () => {
  expect(troubleIn([daemon('keyd', [info]), daemon('certd', [cause, info])], undefined)).toEqual([
    { daemon: 'certd', lines: [cause] },
  ]);
});

it('a daemon that logged no trouble is quoted by its last words', () => {
  const quiet = daemon('identityd', [info, info]);
  expect(troubleIn([quiet], quiet)).toEqual([{ daemon: 'identityd', lines: [info, info] }]);
});
