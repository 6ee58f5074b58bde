import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { World } from '../../runner/index.ts';

/** A call as the stand-in of tpmd saw it: method, target, and the body. */
export type TpmdCall = readonly [method: string, target: string, body: unknown];

/** A tpmd that keeps the imported key in memory, with the keys of the recording. */
export interface StandInTpmd {
  /** Calls since the last time this was asked. */
  takeCalls(): TpmdCall[];
  stop(): Promise<void>;
}

const KEYS = {
  endorsement_key: Buffer.from('EK'.repeat(20)).toString('base64'),
  storage_root_key: Buffer.from('SRK'.repeat(20)).toString('base64'),
};

/** Starts one on the socket of the world. */
export async function startTpmd(world: World): Promise<StandInTpmd> {
  let key = Buffer.alloc(0);
  let calls: TpmdCall[] = [];
  const answers: Readonly<Record<string, (body: Readonly<Record<string, string>>) => object>> = {
    'GET /get_tpm_keys': () => KEYS,
    'POST /import_auth_key': ({ key: imported = '' }) => {
      key = Buffer.from(imported, 'base64');
      return {};
    },
    'POST /sign_with_auth_key': ({ data = '' }) => ({
      digest: createHmac('sha256', key).update(Buffer.from(data, 'base64')).digest('base64'),
    }),
  };
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk;
    const body = text === '' ? null : JSON.parse(text);
    calls.push([request.method ?? '', request.url ?? '', body]);
    const answer = answers[`${request.method} ${request.url?.replace(/\?.*/, '')}`];
    response
      .writeHead(answer ? 200 : 404, { 'content-type': 'application/json' })
      .end(JSON.stringify(answer ? answer(body ?? {}) : { message: 'not found' }));
  });
  const socket = world.socket('tpmd');
  await rm(socket, { force: true });
  server.listen(socket);
  await once(server, 'listening');
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  world.onDispose(stop);
  return {
    takeCalls() {
      const taken = calls;
      calls = [];
      return taken;
    },
    stop,
  };
}
