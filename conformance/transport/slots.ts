import assert from 'node:assert/strict';
import {
  type Context,
  exchange,
  expectStatus,
  type Group,
  group,
  WireConnection,
  type World,
} from '../runner/index.ts';
import { busyConnections, twelveConnections } from './probes.ts';
import { needSubject, SUBJECTS, type Subject, target } from './subject.ts';

const A = 4001;

/** A world of the requirement's own, as a full line of one test would hinder the next. */
async function own(context: Context, subject: Subject, lines = ''): Promise<World> {
  context.needRoot();
  needSubject(context, subject);
  const world = await context.fresh();
  await subject.world.build(world);
  if (lines !== '') {
    await world.file(`${subject.daemon}/config.d/10-slots.toml`, lines);
    await world.restart(subject.daemon);
  }
  return world;
}

/** Fills all slots of a uid with requests whose body is held back, then asks once more: the call waits and is served in time. */
async function waitsInLine(world: World, subject: Subject, uid: number, slots: number): Promise<void> {
  const socket = world.socket(subject.daemon);
  const busy = await busyConnections(socket, uid, slots, target(subject, subject.post.path));
  const late = await WireConnection.open(socket, uid);
  try {
    const answer = late.ask({ method: 'GET', target: target(subject, subject.readable) }, 15_000);
    assert.equal(
      await Promise.race([
        answer.then(() => 'answered'),
        late.closesWithin(700).then((closed) => (closed ? 'closed' : 'waits')),
      ]),
      'waits',
    );
    const other = uid === 0 ? A : 0;
    expectStatus(await exchange(socket, other, { method: 'GET', target: target(subject, subject.readable) }), 200);
    busy.pop()?.close();
    expectStatus(await answer, 200);
    await world
      .running(subject.daemon)
      .logged(new RegExp(`Max simultaneous connections reached for user ${uid}`), 2_000);
  } finally {
    late.close();
    for (const connection of busy) connection.close();
  }
}

/** What the requirements on open connections per uid ask of each daemon. */
export const slots: readonly Group[] = SUBJECTS.map((subject) => {
  const { daemon } = subject;
  const get = { method: 'GET', target: target(subject, subject.readable) };
  return group(`connections of ${daemon}`, {
    [`TR-027/${daemon}`]: [
      'the eleventh busy connection of a uid waits in line and is served',
      'spec',
      async (context) => waitsInLine(await own(context, subject), subject, A, 10),
    ],
    [`TR-028/${daemon}`]: [
      'idle connections make room for new ones',
      'spec',
      async (context) => twelveConnections((await own(context, subject)).socket(daemon), A, get, 200),
    ],
    [`TR-029/${daemon}`]: [
      'connections of one uid do not hinder another',
      'spec',
      async (context) => {
        const world = await own(context, subject);
        const busy = await busyConnections(world.socket(daemon), A, 10, target(subject, subject.post.path));
        try {
          expectStatus(await exchange(world.socket(daemon), 0, get), 200);
        } finally {
          for (const connection of busy) connection.close();
        }
      },
    ],
    [`TR-030/${daemon}`]: [
      'root is limited too',
      'spec',
      async (context) => waitsInLine(await own(context, subject), subject, 0, 10),
    ],
    [`TR-031/${daemon}`]: [
      'max_requests sets the limit',
      'spec',
      async (context) => waitsInLine(await own(context, subject, 'max_requests = 2\n'), subject, A, 2),
    ],
  });
});
