import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { describe, expect, it } from 'vitest';
import { keydSecureContextOptions, useKeydEngine } from './index.ts';
import { keydTests, skippedOn } from './test/keyd-tests.ts';
import type { Store } from './test/real-keyd.ts';
import { readText } from './test/tls-world.ts';

const tests = keydTests();

function identity(name: 'server' | 'client', keyHandle: string): tls.SecureContextOptions {
  return {
    ...keydSecureContextOptions({ keyHandle, certificateChainPem: readText(tests.world, `${name}.pem`) }),
    ca: readText(tests.world, 'ca.pem'),
  };
}

/** A server and a client of Node, each with its key in keyd; gives what the server saw of the client. */
async function handshake(server: tls.TlsOptions, client: tls.ConnectionOptions): Promise<string> {
  const listener = tls.createServer({ requestCert: true, rejectUnauthorized: true, ...server });
  listener.on('secureConnection', (socket) => {
    const { subject } = socket.getPeerCertificate();
    socket.on('error', () => undefined).end(`${subject.CN} over ${socket.getProtocol()}`);
  });
  listener.on('tlsClientError', () => undefined);
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  try {
    const { port } = listener.address() as AddressInfo;
    const socket = tls.connect({ port, host: '127.0.0.1', ...client });
    let said = '';
    socket.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
    await once(socket, 'close');
    return said;
  } finally {
    listener.close();
  }
}

describe.each<Store>(['files', 'softhsm'])('Node with its keys in a keyd process, on %s', (store) => {
  const { skip, title } = skippedOn(store);

  it.skipIf(skip).each(['ec-p256', 'rsa-2048'])(
    `SSL-020 SSL-021 SSL-034 both sides of TLS 1.2 and 1.3 with %s, by handle and by id, and after keyd was gone${title}`,
    async (algorithm) => {
      const handles = await tests.startIssued(store, algorithm);
      useKeydEngine(tests.world.socketPath);
      const server = identity('server', handles.server);
      const client = { secureContext: tls.createSecureContext(identity('client', handles.client)) };
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const versions = { minVersion: version, maxVersion: version };
        expect(await handshake({ ...server, ...versions }, client)).toBe(`TEST client over ${version}`);
        expect(await handshake({ ...server, ...versions }, identity('client', 'client'))).toContain('TEST client');
      }
      await tests.keyd.stop();
      await tests.keyd.start();
      expect(await handshake(server, client), 'a context from before keyd was started again').toContain('TEST client');
    },
    60_000,
  );

  it.skipIf(skip)(
    `SSL-008 SSL-022 a handle that keyd refuses, and the key of another certificate${title}`,
    async () => {
      const handles = await tests.startIssued(store, 'ec-p256');
      useKeydEngine(tests.world.socketPath);
      const context = (keyHandle: string) => () => tls.createSecureContext(identity('client', keyHandle));
      expect(context(handles.client)).not.toThrow();
      expect(context(handles.client.replace('&sig=', '&sig=A'))).toThrow(/invalid handle/);
      expect(context('nobody')).toThrow(/a parameter has an invalid value/);
      expect(context(handles.server)).toThrow(/key values mismatch/);
    },
    60_000,
  );
});
