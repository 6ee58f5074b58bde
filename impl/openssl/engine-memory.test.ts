import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildEngine, room, World } from './test/world.ts';

let world: World;

const flags = ['-std=gnu11', '-g', '-O1', '-Wall', '-Wextra', '-DOPENSSL_SUPPRESS_DEPRECATED'];
const hasValgrind = (() => {
  try {
    execFileSync('valgrind', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Leaks and every misuse of memory end valgrind with 99. What stays reachable at the end is not lost. */
const valgrind = [
  'valgrind',
  '-q',
  '--error-exitcode=99',
  '--leak-check=full',
  '--errors-for-leak-kinds=definite,indirect,possible',
];

async function compile(source: string, output: string, libraries: readonly string[]): Promise<void> {
  const command = ['gcc', ...flags, '-o', world.file(output), path.join(room, 'test', source), ...libraries];
  expect(await world.run(command)).toMatchObject({ exit: 0, stderr: '' });
}

beforeAll(async () => {
  buildEngine();
  world = new World(['ec', 'rsa']);
  await world.startKeyd();
  await compile('life_time.c', 'life_time', ['-lcrypto', '-lpthread']);
});

afterAll(() => world.close());

const cases = [
  ['SSL-026', 'sign-ec'],
  ['SSL-026', 'sign-rsa'],
  ['SSL-025', 'duplicate-ec'],
  ['SSL-025', 'duplicate-rsa'],
  ['SSL-025', 'duplicate-inner'],
  ['SSL-026', 'outlive'],
  ['SSL-003', 'many'],
  ['SSL-024', 'threads'],
  ['SSL-024', 'forks'],
] as const;

describe('life time of keys', () => {
  it.each(cases)('%s %s', async (_id, name) => {
    const ended = await world.run([world.file('life_time'), name, world.handle('ec'), world.handle('rsa')]);
    expect(ended).toMatchObject({ exit: 0, stderr: '' });
  });

  it.skipIf(!hasValgrind).each(cases)('%s %s under valgrind (skipped where it is not installed)', async (_id, name) => {
    const ended = await world.run([
      ...valgrind,
      world.file('life_time'),
      name,
      world.handle('ec'),
      world.handle('rsa'),
    ]);
    expect(ended).toMatchObject({ exit: 0, stderr: '' });
  });
});

describe('what is read from keyd', () => {
  it('takes exactly what the formats allow, with no misuse of memory', async () => {
    const sources = ['base64', 'http_answer', 'json', 'json_string', 'text', 'utf8'].map((name) =>
      path.join(room, `${name}.c`),
    );
    await compile('parsers.c', 'parsers', ['-fsanitize=address,undefined', '-fno-sanitize-recover', ...sources]);
    expect(await world.run([world.file('parsers')])).toMatchObject({ exit: 0, stderr: '' });
  });
});
