import { spawn } from 'node:child_process';
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enginePath, keydSecureContextOptions, useKeydEngine } from './index.ts';
import { makeTlsWorld, readText } from './test/tls-world.ts';
import { buildEngine, engineFile, type World } from './test/world.ts';

let world: World;
let ca: string;

beforeAll(async () => {
  buildEngine();
  world = await makeTlsWorld(['ec', 'rsa', 'srv-ec', 'srv-rsa']);
  ca = readText(world, 'ca.pem');
  useKeydEngine(world.socketPath);
});

afterAll(() => world.close());

function identity(name: string, keyHandle = world.handle(name)): tls.SecureContextOptions {
  return keydSecureContextOptions({ keyHandle, certificateChainPem: readText(world, `${name}.pem`) });
}

/** Starts a TLS server with a key in keyd, runs `use` with its port, and stops it. */
async function withServer(name: string, options: tls.TlsOptions, use: (port: number) => Promise<void>): Promise<void> {
  const server = tls.createServer({ ...identity(name), ca, requestCert: true, rejectUnauthorized: true, ...options });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    socket.end(String(socket.getPeerCertificate().subject.CN));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

/** Connects with a client certificate and returns what the server says: the name in that certificate. */
async function connect(port: number, options: tls.ConnectionOptions): Promise<string> {
  const socket = tls.connect({ port, host: '127.0.0.1', ca, ...options });
  let said = '';
  socket.on('data', (piece: Buffer) => {
    said += piece.toString();
  });
  await once(socket, 'close');
  return said;
}

describe('the door for Node', () => {
  it('finds the engine that build.sh made', () => {
    expect(enginePath()).toBe(engineFile);
  });

  it.each(['keyd.sock', `/${'a'.repeat(107)}`, ''])('refuses the socket path %j', (path) => {
    expect(() => useKeydEngine(path)).toThrow(RangeError);
  });

  it.each([0, 49, 600_001, 1.5, Number.NaN])('refuses the time-out %d', (timeoutMs) => {
    expect(() => useKeydEngine(world.socketPath, { timeoutMs })).toThrow(RangeError);
  });

  it('sets and takes back the time-out', () => {
    useKeydEngine(world.socketPath, { timeoutMs: 700 });
    expect(process.env['AZIOT_KEYD_TIMEOUT_MS']).toBe('700');
    useKeydEngine(world.socketPath);
    expect(process.env['AZIOT_KEYD_TIMEOUT_MS']).toBeUndefined();
  });
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s in Node', (version) => {
  it.each([
    ['ec', 'srv-ec'],
    ['rsa', 'srv-rsa'],
    ['ec', 'srv-rsa'],
  ] as const)('SSL-020 SSL-021 client with %s, server with %s', async (client, server) => {
    await withServer(server, { minVersion: version, maxVersion: version }, async (port) => {
      expect(await connect(port, identity(client))).toBe(`TEST ${client}`);
    });
  });
});

describe('Node with keys in keyd', () => {
  it('SSL-003 makes a hundred contexts that are all alive, each able to sign', async () => {
    const contexts = Array.from({ length: 100 }, () => tls.createSecureContext({ ...identity('ec'), ca }));
    await withServer('srv-ec', {}, async (port) => {
      for (const secureContext of [contexts.at(0), contexts.at(50), contexts.at(99)]) {
        expect(await connect(port, { secureContext: secureContext! })).toBe('TEST ec');
      }
    });
  });

  it('SSL-003 makes contexts with the path of the engine in place of its id', () => {
    const contexts = Array.from({ length: 40 }, () =>
      tls.createSecureContext({ ...identity('ec'), privateKeyEngine: engineFile }),
    );
    expect(contexts).toHaveLength(40);
  });

  it('takes a key id in place of a handle', async () => {
    await withServer('srv-ec', {}, async (port) => {
      expect(await connect(port, identity('ec', 'ec'))).toBe('TEST ec');
    });
  });

  it('SSL-008 throws the message of keyd for a handle that keyd refuses', () => {
    expect(() => tls.createSecureContext(identity('ec', 'sr=bm8=&sig=bm8='))).toThrow(/invalid handle/);
  });

  it('SSL-022 throws when the key is not that of the certificate', () => {
    expect(() => tls.createSecureContext(identity('ec', world.handle('srv-ec')))).toThrow(/key values mismatch/);
  });

  it('SSL-007 throws when keyd is absent', () => {
    useKeydEngine(world.file('nobody.sock'));
    try {
      expect(() => tls.createSecureContext(identity('ec'))).toThrow(/cannot connect to keyd/);
    } finally {
      useKeydEngine(world.socketPath);
    }
  });

  it('SSL-034 signs with a key that was loaded before keyd was started again', async () => {
    const secureContext = tls.createSecureContext({ ...identity('ec'), ca });
    await withServer('srv-rsa', {}, async (port) => {
      await world.stopKeyd();
      await expect(connect(port, { secureContext })).rejects.toThrow();
      await world.startKeyd();
      expect(await connect(port, { secureContext })).toBe('TEST ec');
    });
  });

  it('SSL-034 rides out a keyd that is gone for a moment while it signs', async () => {
    const secureContext = tls.createSecureContext({ ...identity('ec'), ca });
    await withServer('srv-rsa', {}, async (port) => {
      const back = `mv ${world.socketPath} ${world.socketPath}.away; echo; sleep 0.5; mv ${world.socketPath}.away ${world.socketPath}`;
      const mover = spawn('sh', ['-c', back]);
      await once(mover.stdout, 'data');
      expect(await connect(port, { secureContext })).toBe('TEST ec');
    });
  });

  it('SSL-024 completes 50 https requests at once with keys in keyd on both sides', async () => {
    const server = https.createServer({ ...identity('srv-ec'), ca, requestCert: true }, (_, response) =>
      response.end('hello'),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const agent = new https.Agent({ ...identity('rsa'), ca, maxCachedSessions: 0 });
    const get = () =>
      new Promise<number | undefined>((resolve, reject) => {
        https
          .get({ port, host: '127.0.0.1', agent }, (response) =>
            response.resume().on('end', () => resolve(response.statusCode)),
          )
          .on('error', reject);
      });
    await world.takeRequests();
    expect(await Promise.all(Array.from({ length: 50 }, get))).toEqual(Array<number>(50).fill(200));
    expect((await world.takeRequests()).filter((request) => request.path === '/encrypt')).toHaveLength(50);
    server.close();
    agent.destroy();
  });

  it('comes back when keyd closes connections', async () => {
    await world.behave([{ path: '/parameters/algorithm', close: true, times: 3 }]);
    expect(() => tls.createSecureContext(identity('ec'))).not.toThrow();
    await world.behave();
  });
});
