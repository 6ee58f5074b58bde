import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loaderIsInstalled, openLoaded } from './loader-tcti.ts';
import { oneTrip } from './tcti-exchange.ts';
import { LinkError } from './tpm-error.ts';

const COMMAND = Buffer.from('80010000000e0000017381010001', 'hex');
const SUCCESS = Buffer.alloc(4);
const ANSWER = Buffer.from('80010000000a0000018b', 'hex');
const gccIsMissing = spawnSync('gcc', ['--version']).error !== undefined;
const missing = loaderIsInstalled() ? undefined : 'needs libtss2-tctildr0';

const folder = mkdtempSync(join(tmpdir(), 'loader-tcti-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A swtpm that answers each command with these bytes, or hangs up; `calls` counts what came. */
async function tpm(name: string, answer: Buffer | undefined) {
  const path = join(folder, name);
  const got: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      got.push(bytes);
      if (answer) socket.write(answer);
      else socket.destroy();
    });
  });
  // success, whatever the loader sets at the beginning
  const control = createServer((socket) => socket.on('error', () => undefined).on('data', () => socket.end(SUCCESS)));
  await new Promise<void>((listening) => server.listen(path, listening));
  await new Promise<void>((listening) => control.listen(`${path}.ctrl`, listening));
  const close = async () => {
    for (const each of [server, control]) await new Promise((done) => each.close(done));
  };
  return { conf: `swtpm:path=${path}`, got, close };
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe.skipIf(missing)(`a TCTI through the loader (${missing ?? 'libtss2-tctildr0'})`, () => {
  it('makes an exchange in one call of the pool where there is a compiler', ({ skip }) => {
    if (gccIsMissing) skip('needs gcc');
    expect(oneTrip()).toBeDefined();
  });

  for (const [name, call] of [
    ['one call', oneTrip],
    ['two calls', () => undefined],
  ] as const) {
    it(`${name}: commands reach the TPM whole, responses come back whole`, async () => {
      const { conf, got, close } = await tpm(`good-${name}`, ANSWER);
      const tcti = await openLoaded(conf, call());
      for (let time = 0; time < 3; time++) expect(await tcti.exchange(COMMAND)).toEqual(ANSWER);
      // the loader asks for nothing by itself
      expect(Buffer.concat(got)).toEqual(Buffer.concat([COMMAND, COMMAND, COMMAND]));
      await tcti.close();
      await close();
    });

    it(`${name}: tells a command that may have been done from one that was not sent`, async () => {
      const { conf, close } = await tpm(`bad-${name}`, undefined);
      const tcti = await openLoaded(conf, call());
      const lost = await failureOf(tcti.exchange(COMMAND));
      expect(lost).toBeInstanceOf(LinkError);
      expect((lost as LinkError).sent).toBe('maybe');
      await tcti.close();
      const gone = await openLoaded(conf, call());
      await close();
      rmSync(conf.slice('swtpm:path='.length), { force: true });
      expect(((await failureOf(gone.exchange(COMMAND))) as LinkError).sent).toBe('no');
      await gone.close();
    });
  }
});
