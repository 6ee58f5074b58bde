import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openOwnTcti } from './own-tcti.ts';
import { LinkError } from './tpm-error.ts';

const COMMAND = Buffer.from('80010000000e0000017381010001', 'hex');
const ANSWER = Buffer.from('80010000000a0000018b', 'hex');

let folder: string;
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tcti-'));
});
afterEach(async () => {
  await new Promise((done) => (server ? server.close(done) : done(undefined)));
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** A TPM that gives these pieces for each command, then hangs up. */
async function tpm(...pieces: readonly Buffer[]): Promise<string> {
  const path = join(folder, 'sock');
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      for (const piece of pieces) socket.write(piece);
      socket.end();
    });
  });
  await new Promise<void>((listening) => server?.listen(path, listening));
  return `swtpm:path=${path}`;
}

async function failure(work: Promise<unknown>): Promise<LinkError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(LinkError);
  return error as LinkError;
}

describe('TCTIs without the library of the TSS', () => {
  it('swtpm: each command on a connection of its own, a response in pieces is put together', async () => {
    const tcti = await openOwnTcti(await tpm(ANSWER.subarray(0, 3), ANSWER.subarray(3)));
    for (let time = 0; time < 2; time++) {
      expect(await tcti.exchange(COMMAND)).toEqual(ANSWER);
    }
    await tcti.close();
  });

  it('swtpm: a response that ends early is given as it is, none at all is a failure after the command was sent', async () => {
    const short = await openOwnTcti(await tpm(ANSWER.subarray(0, 4)));
    expect(await short.exchange(COMMAND)).toEqual(ANSWER.subarray(0, 4));
    server?.close();
    rmSync(join(folder, 'sock'), { force: true });
    const none = await openOwnTcti(await tpm());
    expect((await failure(none.exchange(COMMAND))).sent).toBe('maybe');
  });

  it('a device gets whole commands; one that fails to open is named', async () => {
    const path = join(folder, 'device');
    writeFileSync(path, '');
    const tcti = await openOwnTcti(`device:${path}`);
    // a plain file has nothing behind what was written
    expect(await tcti.exchange(COMMAND)).toHaveLength(0);
    await tcti.close();
    const error = await failure(openOwnTcti(`device:${join(folder, 'absent')}`));
    expect([error.sent, error.message]).toEqual(['no', `${join(folder, 'absent')} failed`]);
  });

  it.each(['tabrmd', 'mssim:port=1', 'nosuch'])('%s says what to install', async (tcti) => {
    expect((await failure(openOwnTcti(tcti))).message).toMatch(/install libtss2-tctildr0/);
  });

  it.each(['swtpm:nonsense', 'swtpm:port=x', 'swtpm:port=70000'])('%s is refused', async (tcti) => {
    expect((await failure(openOwnTcti(tcti))).sent).toBe('no');
  });
});
