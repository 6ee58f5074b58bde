import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { playHost, sasToken, tampered } from './host-process.ts';

describe('the token of the host process', () => {
  it('covers its audience and expiry as sent', () => {
    const { toSign, withSignature } = sasToken('localhost:8443/devices/D 1/modules/agent', 1767225600);
    expect(toSign).toBe('localhost%3A8443%2Fdevices%2FD%201%2Fmodules%2Fagent\n1767225600');
    const signature = createHmac('sha256', 'key').update(toSign).digest('base64');
    const token = new URLSearchParams(withSignature(signature).replace('SharedAccessSignature ', ''));
    expect(Object.fromEntries(token)).toEqual({
      sr: 'localhost:8443/devices/D 1/modules/agent',
      sig: signature,
      se: '1767225600',
    });
  });

  it('is tampered with in its signature only', () => {
    const signature = Buffer.alloc(32, 1).toString('base64');
    expect(tampered(signature)).not.toBe(signature);
    expect(Buffer.from(tampered(signature), 'base64')).toHaveLength(32);
  });
});

describe('the host process', () => {
  let folder: string;
  const close: (() => void)[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'host-'));
  });
  afterEach(async () => {
    for (const stop of close.splice(0)) stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function daemon(name: string, answer: RequestListener): Promise<string> {
    const path = join(folder, `${name}.sock`);
    const server = createServer(answer);
    close.push(() => server.close());
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  }

  const json =
    (status: number, body: unknown): RequestListener =>
    (_, response) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const identity = {
    type: 'aziot',
    spec: {
      hubName: 'hub',
      gatewayHost: 'hub',
      deviceId: 'd',
      moduleId: 'agent',
      genId: '1',
      auth: { type: 'sas', keyHandle: 'h' },
    },
  };

  async function play(identityd: RequestListener, keyd: RequestListener) {
    const identitydSocket = await daemon('identityd', identityd);
    const keydSocket = await daemon('keyd', keyd);
    return playHost({ identitydSocket, keydSocket, caPem: '', cloud: 'stopped' }, () => 0);
  }

  it('signs a token without a hub when the cloud is stopped', async () => {
    const outcome = await play(json(200, identity), json(200, { signature: 'AAAA' }));
    expect(outcome).toEqual({
      kind: 'done',
      moduleId: 'agent',
      genId: '1',
      hubName: 'hub',
      deviceId: 'd',
      sasAccepted: null,
    });
  });

  it('that identityd does not know says what to look at', async () => {
    const outcome = await play(json(401, { message: 'authorization error' }), json(500, {}));
    expect(outcome).toMatchObject({
      kind: 'failed',
      came: '401 {"message":"authorization error"}',
      remedy: expect.stringContaining('[[principal]]'),
    });
  });

  it('that keyd refuses says so', async () => {
    const outcome = await play(json(200, identity), json(400, { message: 'invalid handle' }));
    expect(outcome).toMatchObject({ kind: 'failed', came: '400 {"message":"invalid handle"}' });
  });
});
