import { describe, expect, test } from 'vitest';
import { openStateStore } from '../common/index.ts';
import { issueTestCertificate } from '../credentials/index.ts';
import { IdentityRegistry } from './registry.ts';

const PEM = issueTestCertificate({ commonName: 'TEST root', role: 'authority' }).pem;
const NOW = Date.parse('2026-01-01T00:00:00Z');

function newRegistry(store = openStateStore({})) {
  return new IdentityRegistry({ store, now: () => NOW });
}

function withDevice() {
  const registry = newRegistry();
  registry.upsertDevice({ deviceId: 'Dev-01' });
  return registry;
}

const refusal = (code: string) => expect.objectContaining({ code });

describe('devices', () => {
  test('a new device gets two different keys of 32 bytes', () => {
    const { authentication } = withDevice().getDevice('Dev-01')!;
    if (authentication.type !== 'sas') throw new Error('not sas');
    expect(Buffer.from(authentication.primaryKey, 'base64')).toHaveLength(32);
    expect(authentication.secondaryKey).not.toBe(authentication.primaryKey);
  });

  test('a change keeps generation id, keys and modules, and moves the etag', () => {
    const registry = withDevice();
    const before = registry.getDevice('Dev-01')!;
    registry.createModule('Dev-01', 'm1');
    const after = registry.upsertDevice({ deviceId: 'Dev-01', status: 'disabled' });
    expect(after).toEqual({ ...before, status: 'disabled', etag: after.etag });
    expect(after.etag).not.toBe(before.etag);
    expect(registry.listModules('Dev-01')).toHaveLength(1);
  });

  test('a device that is made again is another generation, without modules', () => {
    const registry = withDevice();
    const before = registry.getDevice('Dev-01')!;
    registry.createModule('Dev-01', 'm1');
    expect(registry.removeDevice('Dev-01')).toBe(true);
    expect(registry.removeDevice('Dev-01')).toBe(false);
    const after = registry.upsertDevice({ deviceId: 'Dev-01' });
    expect(BigInt(after.generationId)).toBeGreaterThan(BigInt(before.generationId));
    expect(registry.listModules('Dev-01')).toEqual([]);
  });

  test('an edge device has the system modules, once', () => {
    const registry = newRegistry();
    registry.upsertDevice({ deviceId: 'edge', edge: true });
    const agent = registry.getModule('edge', '$edgeAgent');
    registry.upsertDevice({ deviceId: 'edge' });
    expect(registry.listModules('edge').map((module) => module.moduleId)).toEqual(['$edgeAgent', '$edgeHub']);
    expect(registry.getModule('edge', '$edgeAgent')).toEqual(agent);
  });

  test.each(['', 'a b', 'a/b', 'é', 'x'.repeat(129)])('id %j is refused', (deviceId) => {
    expect(() => newRegistry().upsertDevice({ deviceId })).toThrow(TypeError);
  });
});

describe('modules', () => {
  test('CL-059 a second create is refused, and a delete and create is another generation', () => {
    const registry = withDevice();
    const first = registry.createModule('Dev-01', 'm1');
    expect(() => registry.createModule('Dev-01', 'm1')).toThrow(refusal('moduleExists'));
    registry.removeModule('Dev-01', 'm1', { kind: 'any' });
    const second = registry.createModule('Dev-01', 'm1');
    expect(BigInt(second.generationId)).toBeGreaterThan(BigInt(first.generationId));
    expect(second.authentication).not.toEqual(first.authentication);
  });

  test('CL-061 a stale etag changes nothing; a missing module is not found', () => {
    const registry = withDevice();
    const first = registry.createModule('Dev-01', 'm1');
    const second = registry.updateModule('Dev-01', 'm1', { kind: 'etag', etag: first.etag }, { managedBy: 'me' });
    expect(second).toEqual({ ...first, managedBy: 'me', etag: second.etag });
    const stale = { kind: 'etag', etag: first.etag } as const;
    expect(() => registry.updateModule('Dev-01', 'm1', stale, {})).toThrow(refusal('preconditionFailed'));
    expect(() => registry.removeModule('Dev-01', 'm1', stale)).toThrow(refusal('preconditionFailed'));
    expect(registry.getModule('Dev-01', 'm1')).toEqual(second);
    expect(() => registry.updateModule('Dev-01', 'm2', { kind: 'any' }, {})).toThrow(refusal('moduleNotFound'));
    expect(() => registry.removeModule('Dev-01', 'm2', { kind: 'any' })).toThrow(refusal('moduleNotFound'));
    expect(() => registry.removeModule('Dev-01', 'm1', { kind: 'absent' })).toThrow(refusal('preconditionFailed'));
  });

  test('the fifty-first module is refused', () => {
    const registry = newRegistry();
    registry.upsertDevice({ deviceId: 'Dev-01', edge: true });
    for (let i = 0; i < 48; i += 1) registry.createModule('Dev-01', `m${i}`);
    expect(() => registry.createModule('Dev-01', 'one-more')).toThrow(refusal('tooManyModules'));
    expect(registry.listModules('Dev-01')).toHaveLength(50);
  });

  test('an illegal id and a missing device are refused', () => {
    const registry = withDevice();
    expect(() => registry.createModule('Dev-01', 'a b')).toThrow(refusal('argumentInvalid'));
    expect(() => registry.createModule('nobody', 'm')).toThrow(refusal('deviceNotFound'));
  });
});

test('a registry opened again on the same store holds the same, and goes on counting', () => {
  const store = openStateStore({});
  const before = newRegistry(store);
  before.upsertDevice({ deviceId: 'Dev-01', edge: true });
  const module = before.createModule('Dev-01', 'm1');
  before.trustAuthority(PEM);
  before.removeModule('Dev-01', '$edgeHub', { kind: 'any' });

  const after = newRegistry(store);
  expect(after.listDevices()).toEqual(before.listDevices());
  expect(after.listModules('Dev-01')).toEqual(before.listModules('Dev-01'));
  expect(after.listAuthorities()).toEqual([PEM]);
  const next = after.createModule('Dev-01', 'm2');
  expect(BigInt(next.generationId)).toBeGreaterThan(BigInt(module.generationId));
  expect(next.etag).not.toBe(module.etag);
});
