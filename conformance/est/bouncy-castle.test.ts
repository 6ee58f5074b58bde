import { execFile, spawnSync } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { endTarget, estTarget, PLAIN_PASSWORD } from './target.ts';

const run = promisify(execFile);
const FOLDER = join(import.meta.dirname, 'bouncy-castle');
const CLASSPATH = join(tmpdir(), `est-classpath-${process.pid}`);
/** Digest is not among them: this client reads no challenge with an unquoted algorithm, which RFC 7616 3.3 demands. */
const OPERATIONS = [
  'cacerts',
  'simpleenroll-basic',
  'simpleenroll-label',
  'simplereenroll',
  'refused',
  'csrattrs',
  'csrattrs-none',
  'pending',
  'serverkeygen',
];

afterAll(async () => {
  await rm(CLASSPATH, { force: true });
  await endTarget();
});

const isThere = (program: string, ...args: string[]) => spawnSync(program, args, { stdio: 'ignore' }).status === 0;

/** Class path of Bouncy Castle, fetched by Maven where its cache has it not; undefined where that cannot be had. */
async function classPath(): Promise<string | undefined> {
  const build = ['-q', '-B', 'dependency:build-classpath', `-Dmdep.outputFile=${CLASSPATH}`];
  const fetched = await run('mvn', build, { cwd: FOLDER, timeout: 60_000 }).catch(() => undefined);
  return fetched && readFile(CLASSPATH, 'utf8');
}

test("Bouncy Castle's EST client: every operation", async (task) => {
  if (process.env['AZIOT_CONFORMANCE_EST']) task.skip('another server than ours is tested');
  if (!isThere('java', '-version') || !isThere('javac', '-version') || !isThere('mvn', '--version'))
    task.skip('needs java, javac and mvn: apt-get install default-jdk-headless maven');
  const jars = await classPath();
  if (jars === undefined) task.skip('Maven could not fetch org.bouncycastle:bcpkix-jdk18on');
  const target = await estTarget();
  // this client does not send passwords beyond ASCII as UTF-8
  const { username, password } = PLAIN_PASSWORD;
  const server = new URL(target.url).host;
  const program = ['-cp', jars ?? '', join(FOLDER, 'EstInterop.java'), server, target.rootPem, username, password];
  const { stdout } = await run('java', ['-Dfile.encoding=UTF-8', ...program], { timeout: 90_000 });
  expect(stdout.trim().split('\n')).toEqual(OPERATIONS.map((name) => `${name} ok`));
});
