import assert from 'node:assert/strict';
import {
  answered,
  type Context,
  exchange,
  expectError,
  expectStatus,
  type Group,
  group,
  header,
  jsonOf,
  type Source,
  WireConnection,
  type WireRequest,
  type World,
} from '../runner/index.ts';
import { bodyWithheld, garbageInsteadOfHttp } from './probes.ts';
import { needSubject, postOf, SUBJECTS, type Subject, target } from './subject.ts';

interface Probe {
  readonly subject: Subject;
  readonly world: World;
  /** Sends a request as root. */
  ask(request: WireRequest): ReturnType<typeof exchange>;
  get(wholeTarget: string, method?: string): ReturnType<typeof exchange>;
}

type Check = (probe: Probe) => Promise<void>;

const readable = ({ subject }: Probe) => target(subject, subject.readable);
const puttable = ({ subject }: Probe) => target(subject, subject.puttable ?? '');
/** What is asked of a daemon with a PUT alone. */
const OF_PUT = new Set([17, 18]);

/** Number in the transport checklist, text, source, check. */
const CHECKS: readonly (readonly [number, string, Source, Check])[] = [
  [
    1,
    'a request without api-version is refused',
    'spec',
    async ({ subject, get }) => void expectError(await get(subject.readable), 400, 'api-version not specified'),
  ],
  [
    2,
    'an unknown path without api-version is 400, not 404',
    'spec',
    async ({ get }) => void expectError(await get('/nosuch'), 400, 'api-version not specified'),
  ],
  [
    3,
    'an unknown api-version is refused and quoted',
    'spec',
    async ({ subject, get }) =>
      void expectError(
        await get(`${subject.readable}?api-version=1999-01-01`),
        400,
        'invalid api-version "1999-01-01"',
      ),
  ],
  [
    4,
    'an unknown path is 404',
    'spec',
    async ({ subject, get }) => void expectError(await get(target(subject, '/nosuch')), 404, 'not found'),
  ],
  [
    6,
    'the last api-version wins',
    'spec',
    async ({ subject, get }) => {
      expectStatus(await get(`${subject.readable}?api-version=bad&api-version=${subject.version}`), 200);
      expectError(
        await get(`${subject.readable}?api-version=${subject.version}&api-version=bad`),
        400,
        'invalid api-version "bad"',
      );
    },
  ],
  [
    7,
    'the name api-version is case-sensitive',
    'spec',
    async ({ subject, get }) =>
      void expectError(
        await get(`${subject.readable}?API-VERSION=${subject.version}`),
        400,
        'api-version not specified',
      ),
  ],
  [
    8,
    'api-version may be percent-encoded',
    'spec',
    async ({ subject, get }) =>
      void expectStatus(await get(`${subject.readable}?api-version=${subject.version.replaceAll('-', '%2D')}`), 200),
  ],
  [
    9,
    'a method that the path lacks, with good JSON, is 400',
    'spec',
    async ({ subject, ask }) => {
      const { method, path } = subject.lacking;
      expectError(await ask({ method, target: target(subject, path), body: {} }), 400, 'method not allowed');
    },
  ],
  [
    10,
    'a method that the path lacks, with broken JSON, is 422',
    'spec',
    async ({ subject, ask }) => {
      const { method, path } = subject.lacking;
      expectError(await ask({ method, target: target(subject, path), body: '{' }), 422);
    },
  ],
  [
    11,
    'PATCH and OPTIONS are 400 on a known path, 404 on another',
    'spec',
    async ({ subject, get }) => {
      for (const method of ['PATCH', 'OPTIONS']) {
        expectError(await get(target(subject, subject.readable), method), 400, 'method not allowed');
        expectError(await get(target(subject, '/nosuch'), method), 404, 'not found');
      }
    },
  ],
  [
    12,
    'HEAD is 400 without a body',
    'spec',
    async (probe) => {
      const { world, subject } = probe;
      const connection = await WireConnection.open(world.socket(subject.daemon));
      try {
        assert.equal(answered(await connection.ask({ method: 'HEAD', target: readable(probe) })).status, 400);
        const next = answered(await connection.ask({ method: 'GET', target: readable(probe) }));
        assert.equal(next.status, 200, 'body bytes followed the answer to HEAD');
      } finally {
        connection.close();
      }
    },
  ],
  [
    13,
    'a POST that needs a body and has none is 400',
    'spec',
    async ({ subject, ask }) =>
      void expectError(await ask(postOf(subject, { body: null })), 400, 'missing request body'),
  ],
  [
    14,
    'a POST of another content type counts as without body',
    'spec',
    async ({ subject, ask }) =>
      void expectError(
        await ask(postOf(subject, { headers: { 'content-type': 'text/plain' } })),
        400,
        'missing request body',
      ),
  ],
  [
    15,
    'a POST without content type is taken as JSON',
    'spec',
    async ({ subject, ask }) => subject.post.taken(await ask(postOf(subject, { headers: { 'content-type': null } }))),
  ],
  [
    16,
    'a charset beside application/json is accepted',
    'spec',
    async ({ subject, ask }) =>
      subject.post.taken(
        await ask(postOf(subject, { headers: { 'content-type': 'application/json; charset=utf-8' } })),
      ),
  ],
  [
    17,
    'a PUT of another content type is 415',
    'spec',
    async (probe) => {
      const { ask } = probe;
      const request = {
        method: 'PUT',
        target: puttable(probe),
        body: 'x',
        headers: { 'content-type': 'text/plain' },
      };
      expectError(await ask(request), 415, 'request body must be application/json');
    },
  ],
  [
    18,
    'a PUT with an empty body is 422',
    'spec',
    async (probe) => void expectError(await probe.ask({ method: 'PUT', target: puttable(probe) }), 422),
  ],
  [
    19,
    'a missing required member is 422',
    'spec',
    async ({ subject, ask }) => {
      const { [subject.required]: _left, ...body } = subject.post.body;
      expectError(await ask(postOf(subject, { body })), 422);
    },
  ],
  [
    20,
    'an unknown member is ignored',
    'spec',
    async ({ subject, ask }) =>
      subject.post.taken(await ask(postOf(subject, { body: { ...subject.post.body, unknown: [1] } }))),
  ],
  [
    21,
    'a body that stays away is 408 after about five seconds',
    'spec',
    async ({ world, subject }) =>
      bodyWithheld(world.socket(subject.daemon), 0, 'POST', target(subject, subject.post.path)),
  ],
  [
    23,
    'an error has content-type application/json and one member message',
    'spec',
    async ({ subject, get, ask }) => {
      expectError(await get(target(subject, '/nosuch')), 404);
      for (const body of ['null', '[]', '{} x', '"x"', '{"a":1,"a":2}', '\u0000'])
        expectError(await ask(postOf(subject, { body })), 422);
    },
  ],
  [
    24,
    'two requests on one connection get two answers',
    'spec',
    async (probe) => {
      const { world, subject } = probe;
      const connection = await WireConnection.open(world.socket(subject.daemon));
      try {
        for (let number = 0; number < 2; number += 1)
          expectStatus(await connection.ask({ method: 'GET', target: readable(probe) }), 200);
        connection.write(`GET ${readable(probe)} HTTP/1.1\r\n\r\nGET /nosuch HTTP/1.1\r\n\r\n`);
        expectStatus(await connection.answer('GET'), 200);
        expectError(await connection.answer('GET'), 400, 'api-version not specified');
      } finally {
        connection.close();
      }
    },
  ],
  [
    25,
    'a chunked body is accepted',
    'spec',
    async ({ world, subject }) => {
      const connection = await WireConnection.open(world.socket(subject.daemon));
      try {
        const text = JSON.stringify(subject.post.body);
        const chunk = (part: string) => `${part.length.toString(16)}\r\n${part}\r\n`;
        const head = `POST ${target(subject, subject.post.path)} HTTP/1.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`;
        connection.write(`${head}${chunk(text.slice(0, 5))}${chunk(text.slice(5))}0\r\n\r\n`);
        subject.post.taken(await connection.answer('POST'));
      } finally {
        connection.close();
      }
    },
  ],
  [
    26,
    'garbage instead of HTTP is a bare 400 and a closed connection',
    'spec',
    async ({ world, subject }) => garbageInsteadOfHttp(world.socket(subject.daemon), 0),
  ],
];

/** Head of an answer as the services' own blocking client needs it (keys-service.md 3.1). */
async function smallHead(probe: Probe): Promise<void> {
  const answer = answered(await probe.get(readable(probe)));
  assert.equal(header(answer, 'content-type'), 'application/json');
  assert.equal(Number(header(answer, 'content-length')), Buffer.byteLength(answer.body));
  assert.equal(header(answer, 'transfer-encoding'), undefined);
  assert.ok(answer.headBytes <= 512, `a head of ${answer.headBytes} bytes`);
  assert.ok(answer.headers.length <= 16, `${answer.headers.length} headers`);
  assert.ok(answer.oneWrite, 'the head did not come in one read');
  assert.equal(header(answer, 'server'), undefined);
  assert.ok(header(answer, 'date'), 'no date');
  jsonOf(answer);
}

function check(subject: Subject, run: Check): (context: Context) => Promise<void> {
  return async (context) => {
    needSubject(context, subject);
    const world = await context.shared(subject.world);
    const ask = (request: WireRequest) => exchange(world.socket(subject.daemon), 0, request);
    await run({ subject, world, ask, get: (wholeTarget, method = 'GET') => ask({ method, target: wholeTarget }) });
  };
}

/** The requirements on requests and answers, once for every daemon: `TR-001/keyd`. */
export const transportRequests: readonly Group[] = SUBJECTS.map((subject) => {
  const id = (number: number) => `TR-${String(number).padStart(3, '0')}/${subject.daemon}`;
  const checks = CHECKS.filter(([number]) => subject.puttable !== undefined || !OF_PUT.has(number));
  const handlers = checks.map(
    ([number, text, source, run]) => [id(number), [text, source, check(subject, run)]] as const,
  );
  const head = [
    `HEAD/${subject.daemon}`,
    ['answers have a small head in one write', 'spec', check(subject, smallHead)],
  ] as const;
  return group(`transport of ${subject.daemon}`, Object.fromEntries([...handlers, head]));
});
