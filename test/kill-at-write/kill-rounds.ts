import assert from 'node:assert/strict';
import type { Change } from './changes.ts';
import type { KilledKeyd, WriteEvent } from './killed-keyd.ts';

/** No call has so many writes. */
const NEVER = 100_000;
const SUCCESS = new Set([200, 204]);

/** Makes the change undisturbed; gives its events. keyd runs before and after. */
export async function eventsOf(keyd: KilledKeyd, change: Change): Promise<WriteEvent[]> {
  keyd.nextRound();
  await change.prepare(keyd);
  const before = await change.tell(keyd);
  keyd.endAt(NEVER);
  const answer = await change.call(keyd);
  assert.ok(answer && SUCCESS.has(answer.status), `${change.name} is answered ${answer?.status}`);
  assert.match(await change.tell(keyd), change.after(before));
  const events = keyd.events();
  await keyd.kill();
  await keyd.start();
  return events;
}

/**
 * Makes the change and ends keyd at an event of it, then starts keyd again: the state is that of before or that of after (that of
 * after, where the call was answered), no unfinished file stays, and the same change can be made then.
 */
export async function killAt(keyd: KilledKeyd, change: Change, event: number): Promise<void> {
  keyd.nextRound();
  await change.prepare(keyd);
  const before = await change.tell(keyd);
  const after = change.after(before);
  keyd.endAt(event);
  const answer = await change.call(keyd);
  await keyd.kill();
  await keyd.start();
  const told = await change.tell(keyd);
  if (answer) assert.match(told, after, `${change.name} was answered ${answer.status} and is lost`);
  else
    assert.ok(told === before || after.test(told), `neither the old state nor the new one: ${told}; it was ${before}`);
  assert.deepEqual(keyd.strayFiles(), [], 'files that were not finished stay');
  if (told !== before || after.test(before)) return;
  const again = await change.call(keyd);
  assert.ok(again && SUCCESS.has(again.status), `the call is answered ${again?.status} when it is made again`);
  assert.match(await change.tell(keyd), after);
}

/**
 * What a power cut would need of the order of the writes: a file is renamed only after it was synced since its last write, and each
 * folder is synced after what was renamed or removed in it. Gives what is amiss.
 */
export function orderFaults(events: readonly WriteEvent[]): string[] {
  const faults: string[] = [];
  const unsynced = new Set<string>();
  const unsyncedFolders = new Set<string>();
  const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/'));
  for (const { when, what, path } of events) {
    if (when === 'before') continue;
    if (what === 'write' || what === 'truncate') unsynced.add(path);
    if (what === 'fsync') {
      unsynced.delete(path);
      unsyncedFolders.delete(path);
    }
    if (what === 'rename') {
      for (const file of unsynced)
        if (folderOf(file) === folderOf(path)) faults.push(`${path} is renamed to while ${file} is not synced`);
      unsyncedFolders.add(folderOf(path));
    }
    if (what === 'unlink') unsyncedFolders.add(folderOf(path));
  }
  for (const folder of unsyncedFolders) faults.push(`${folder} is not synced after a rename or removal`);
  return faults;
}
