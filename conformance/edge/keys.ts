import assert from 'node:assert/strict';
import { exchange, expectError, group } from '../runner/index.ts';
import { bodyText, CA, hasStatus, text } from './edge-ca.ts';
import type { EdgeResult } from './edge-client.ts';
import { IV, MODULE, referenceCiphertext } from './reference-ciphertext.ts';
import { Workload } from './workload.ts';
import { EDGE, edgeDaemon, freshDevice, QUICK, STRANGER, startedEdge } from './world.ts';

const TEMPORARY = `${CA}-temp`;

function handle(result: EdgeResult): string {
  assert.ok(hasStatus(result, 200), text(result));
  return bodyText(result, 'keyHandle') ?? '';
}

function isRefused(result: EdgeResult, status: number): void {
  assert.ok(result.kind === 'answer' && result.status === status, text(result));
}

export const keys = group('IoT Edge: keys', {
  'EDGE-017': [
    'rsa-2048:* makes an RSA pair of 2048 bits, and the same pair again',
    'reference-run',
    async (context) => {
      const { edge } = await startedEdge(context);
      const ask = async () =>
        handle(await edge.client.ask('keyd', 'POST', '/keypair', { keyId: CA, preferredAlgorithms: 'rsa-2048:*' }));
      const modulus = async (keyHandle: string) =>
        Buffer.from(String(await edge.client.engine('/parameters/rsa-modulus', { keyHandle }, 'value')), 'base64');
      const first = await modulus(await ask());
      assert.equal(first.length, 256);
      assert.deepEqual(await modulus(await ask()), first);
    },
  ],
  'EDGE-018': [
    'a missing pair is an error, deletion by handle, a move replaces the pair whole',
    'reference-run',
    async (context) => {
      const world = await freshDevice(context);
      const edge = edgeDaemon(world, QUICK);
      await edge.start();
      isRefused(await edge.client.ask('keyd', 'GET', `/keypair/${TEMPORARY}`), 400);
      isRefused(await edge.client.ask('keyd', 'GET', `/keypair/${TEMPORARY}`), 400);
      const modulus = (keyHandle: string) => edge.client.engine('/parameters/rsa-modulus', { keyHandle }, 'value');
      const old = handle(await edge.client.ask('keyd', 'GET', `/keypair/${CA}`));
      const oldModulus = await modulus(old);
      // a move that cannot be done changes nothing
      isRefused(await edge.client.ask('keyd', 'POST', `/keypair/${CA}`, { from: TEMPORARY }), 400);
      assert.equal(await modulus(old), oldModulus);
      const wish = { keyId: TEMPORARY, preferredAlgorithms: 'rsa-2048:*' };
      const fresh = await modulus(handle(await edge.client.ask('keyd', 'POST', '/keypair', wish)));
      isRefused(await edge.client.ask('keyd', 'POST', `/keypair/${CA}`, { from: TEMPORARY }), 204);
      assert.equal(await modulus(old), fresh, 'the old handle means the new key');
      isRefused(await edge.client.ask('keyd', 'GET', `/keypair/${TEMPORARY}`), 400);
      const again = handle(await edge.client.ask('keyd', 'POST', '/keypair', wish));
      isRefused(await edge.client.ask('keyd', 'DELETE', '/keypair', { keyHandle: again }), 204);
      isRefused(await edge.client.ask('keyd', 'GET', `/keypair/${TEMPORARY}`), 400);
    },
  ],
  'EDGE-019': [
    'the master encryption key stays the same, and takes nothing for another module or IV',
    'reference-run',
    async (context) => {
      const { world, edge } = await startedEdge(context);
      const workload = new Workload(edge.client);
      const sealed = bodyText(
        await workload.encrypt(MODULE, Buffer.from('secret').toString('base64'), IV),
        'ciphertext',
      );
      assert.ok(sealed);
      assert.equal(Buffer.from(sealed, 'base64')[0], 2);
      await world.restart('keyd');
      const opened = await workload.decrypt(MODULE, sealed, IV);
      assert.equal(Buffer.from(bodyText(opened, 'plaintext') ?? '', 'base64').toString(), 'secret', text(opened));
      for (const refused of [
        await workload.decrypt({ ...MODULE, genId: 'x' }, sealed, IV),
        await workload.decrypt(MODULE, sealed, Buffer.from('12345678901x').toString('base64')),
      ])
        assert.ok(refused.kind === 'answer' && refused.status >= 400 && refused.body['plaintext'] === undefined);
      const odd = Buffer.from('ab').toString('base64');
      assert.ok(hasStatus(await workload.encrypt(MODULE, '', odd), 200));
    },
  ],
  'EDGE-019/preloaded': [
    'a master key imported from Edge 1.1 works, with ciphertexts that the reference wrote under it',
    'spec',
    async (context) => {
      const edit = (content: string) =>
        content.replace(/^trust-bundle-user = .*$/m, '').replace(', "trust-bundle-user"', '');
      const world = await freshDevice(context, 'trust-bundle-and-mode', { edit });
      const workload = new Workload(edgeDaemon(world, QUICK).client);
      const opened = await workload.decrypt(MODULE, referenceCiphertext(Buffer.alloc(32, 5), 'from before'), IV);
      assert.equal(Buffer.from(bodyText(opened, 'plaintext') ?? '', 'base64').toString(), 'from before', text(opened));
      const sealed = bodyText(
        await workload.encrypt(MODULE, Buffer.from('from before').toString('base64'), IV),
        'ciphertext',
      );
      assert.equal(sealed, referenceCiphertext(Buffer.alloc(32, 5), 'from before'));
    },
  ],
  'EDGE-020': [
    'the lists of a user add up; what is in none of them is refused',
    'reference-run',
    async (context) => {
      const twice = '[[principal]]\nuid = 5558\nkeys = ["more"]\n';
      const world = await freshDevice(context, 'quickstart', { more: { keyd: twice } });
      const edge = edgeDaemon(world, QUICK);
      const pair = (keyId: string) => edge.client.ask('keyd', 'POST', '/keypair', { keyId, preferredAlgorithms: '' });
      assert.ok(
        hasStatus(await edge.client.ask('keyd', 'POST', '/keypair', { keyId: 'more', preferredAlgorithms: '*' }), 200),
      );
      assert.ok(
        hasStatus(await edge.client.ask('keyd', 'POST', '/keypair', { keyId: CA, preferredAlgorithms: '*' }), 200),
      );
      isRefused(await pair(TEMPORARY), 401);
      const target = '/keypair/more?api-version=2020-09-01';
      expectError(await exchange(world.socket('keyd'), STRANGER, { method: 'GET', target }), 401);
      expectError(
        await exchange(world.socket('keyd'), EDGE, { method: 'GET', target: target.replace('more', 'device-id') }),
        401,
      );
    },
  ],
});
