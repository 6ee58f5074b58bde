import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { behaviours, differences, elsewhere } from './test/golden-cases.ts';
import type { Recorded } from './test/stand-in-messages.ts';
import { buildEngine, engineFile, room, World } from './test/world.ts';

interface Exchange {
  readonly id: string;
  readonly command?: readonly string[];
  readonly exit?: number | string;
  readonly stdout?: string;
  readonly stderr?: string;
  readonly requests?: readonly {
    readonly line: string;
    readonly body: Record<string, unknown>;
    readonly valueBytes?: number;
  }[];
}

const golden = JSON.parse(readFileSync(path.join(room, '../../fixtures/golden/engine.json'), 'utf8'));
const exchanges: readonly Exchange[] = golden.exchanges;
const isElsewhere = (id: string) => elsewhere.some(([pattern]) => pattern.test(id));
const replayed = exchanges.filter((exchange) => !isElsewhere(exchange.id));

/** Keys of the recording that stand under another name here. */
const names: Readonly<Record<string, string>> = { p384: 'refused384', p521: 'refused521', secp: 'refused256k' };

let world: World;

beforeAll(async () => {
  buildEngine();
  const keys = ['ec', 'rsa', 'rsa4k', 'srv-ec', 'srv-rsa', 'ca', 'gone', 'sym', 'open'];
  world = new World([...keys, ...Object.values(names)]);
  writeFileSync(world.file('ext'), 'subjectAltName=IP:127.0.0.1\n');
  await world.startKeyd();
});

afterAll(() => world.close());

function fillIn(argument: string, id: string): string {
  return argument
    .replaceAll('{{tampered}}', world.handle('ec').replace('&sig=', '&sig=A'))
    .replaceAll(/\{\{([a-z0-9-]+)\}\}/g, (_, name: string) =>
      world.handle(id === 'answer-point-uncompressed' ? 'open' : (names[name] ?? name)),
    )
    .replaceAll('@ENGINE@', engineFile)
    .replaceAll('@W@', world.folder);
}

/** What some exchanges need beforehand and the recorder made outside of them. */
async function prepare(id: string): Promise<void> {
  if (id === 'sign-deleted') await world.deleteKey('gone');
  if (id === 'pkeyutl-decrypt-rsa') {
    await world.run(['openssl', 'pkeyutl', '-encrypt', '-pubin', '-inkey', 'rsa.pub', '-in', 'dig', '-out', 'enc']);
  }
  if (id === 'cms-decrypt-rsa') {
    await world.run([
      'openssl',
      'cms',
      '-encrypt',
      '-binary',
      '-in',
      'data',
      '-outform',
      'DER',
      '-out',
      'env.der',
      'rsa.pem',
    ]);
  }
}

/** The shape of a request that ours must share with the recorded one. */
function shapeOfOurs(request: Recorded): unknown {
  const body = JSON.parse(request.body);
  const value: unknown = body.parameters?.digest ?? body.plaintext;
  return {
    line: request.line,
    members: Object.keys(body),
    algorithm: body.algorithm,
    bytes: typeof value === 'string' ? Buffer.from(value, 'base64').length : undefined,
  };
}

describe('the recorded commands', () => {
  it('are each replayed here or covered by a named test', () => {
    expect(exchanges).toHaveLength(117);
    expect(replayed.length).toBeGreaterThan(75);
    const ids = new Set(replayed.map((exchange) => exchange.id));
    expect([...Object.keys(behaviours), ...Object.keys(differences)].filter((id) => !ids.has(id))).toEqual([]);
  });

  it.each(replayed.map((exchange) => [exchange.id, exchange] as const))('%s', async (id, exchange) => {
    await prepare(id);
    const behaviour = behaviours[id];
    await world.behave(behaviour === undefined ? [] : [behaviour]);
    await world.takeRequests();
    const command = (exchange.command ?? []).map((argument) => fillIn(argument, id));
    const ended = await world.run(command, { env: { AZIOT_KEYD_TIMEOUT_MS: '800' } });
    const requests = await world.takeRequests();
    const difference = differences[id];
    expect(ended.exit).toBe(difference?.exit ?? exchange.exit);
    if (difference !== undefined) {
      if (difference.requests !== 'any') expect(requests).toHaveLength(difference.requests);
      return;
    }
    expect(requests.map(shapeOfOurs)).toEqual(
      (exchange.requests ?? []).map((request) => ({
        line: request.line,
        members: Object.keys(request.body),
        algorithm: request.body['algorithm'],
        bytes: request.valueBytes,
      })),
    );
    if (id.startsWith('engine-')) expect(ended.stdout).toBe(fillIn(exchange.stdout ?? '', id));
    for (const message of ['a parameter has an invalid value', 'caused by: invalid handle', 'internal error']) {
      if (exchange.stderr?.includes(message)) expect(ended.stderr).toContain(message);
    }
  });
});
