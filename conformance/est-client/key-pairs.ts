import { createPublicKey, type KeyObject } from 'node:crypto';
import { exchange, expectStatus, stringMember, type World } from '../runner/index.ts';

const VERSION = 'api-version=2021-05-01';
/** A SubjectPublicKeyInfo of P-256 up to the point, which comes compressed. */
const P256_HEAD = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex');

/** Asks keyd as root; the JSON of its answer. */
async function ask(world: World, method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) {
  const request = { method, target: `${path}?${VERSION}`, ...(body === undefined ? {} : { body }) };
  return expectStatus(await exchange(world.socket('keyd'), 0, request), method === 'DELETE' ? 204 : 200);
}

export async function deletePair(world: World, id: string): Promise<void> {
  const { keyHandle } = await ask(world, 'GET', `/keypair/${id}`);
  await ask(world, 'DELETE', '/keypair', { keyHandle });
}

/** Makes a pair on P-256 in keyd's store, or takes the one that is there. */
export async function makePair(world: World, id: string): Promise<KeyObject> {
  await ask(world, 'POST', '/keypair', { keyId: id, preferredAlgorithms: 'ec-p256' });
  return publicKeyOf(world, id);
}

/** The public half of a pair on P-256 of keyd. */
export async function publicKeyOf(world: World, id: string): Promise<KeyObject> {
  const keyHandle = stringMember(await ask(world, 'GET', `/keypair/${id}`), 'keyHandle');
  const point = stringMember(await ask(world, 'POST', '/parameters/ec-point', { keyHandle }), 'value');
  const der = Buffer.concat([P256_HEAD, Buffer.from(point, 'base64')]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}
