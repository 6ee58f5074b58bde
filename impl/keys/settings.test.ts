import { describe, expect, it } from 'vitest';
import { toUid } from '../ipc/index.ts';
import { preferredAlgorithms } from './pair-algorithms.ts';
import { parsePkcs11Uri } from './pkcs11-uri.ts';
import { parsePreloadedUri } from './preloaded-uri.ts';
import { Principals } from './principals.ts';
import { readSettings } from './settings.ts';

describe('URIs of keys', () => {
  it('KS-099: pkcs11 attributes', () => {
    const pin = undefined;
    expect(parsePkcs11Uri('pkcs11:slot-id=7;token=x')).toEqual({ slot: { id: 7n }, object: undefined, pin });
    expect(parsePkcs11Uri('pkcs11:token=Key pairs;object=a%2Fb;type=private?pin-value=1%3b2&x=y')).toEqual({
      slot: { label: 'Key pairs' },
      object: 'a/b',
      pin: '1;2',
    });
    expect(parsePkcs11Uri('pkcs11:token=a;token=b;pin-value=1')).toEqual({
      slot: { label: 'b' },
      object: undefined,
      pin,
    });
    expect(parsePkcs11Uri('pkcs11:token=a?pin-value=x=y').pin).toBe('x=y');
  });

  it.each([
    'pkcs11:object=x',
    'pkcs11:',
    'pkcs11:slot-id=x',
    'pkcs11:token=%FF',
    'file:///x',
    'pkcs11:token=a?pin-value=%FFsecret',
  ])('KS-099: %s is refused', (uri) => {
    expect(() => parsePkcs11Uri(uri)).toThrow(/PKCS#11 URI/);
    expect(() => parsePkcs11Uri(uri)).not.toThrow(/secret/);
  });

  it('file URLs are percent-decoded, an encoded slash too', () => {
    expect(parsePreloadedUri('file:///a%20b%2Fc')).toEqual({ kind: 'file', path: '/a b/c' });
    expect(parsePreloadedUri('file://localhost/x')).toEqual({ kind: 'file', path: '/x' });
  });

  it.each(['http://x', 'file://host/x', 'file:x', 'FILE:///x', '/x', '', 'file:///a%00b', 'file:///%FF'])(
    'KS-041: %j is refused',
    (uri) => {
      expect(() => parsePreloadedUri(uri)).toThrow();
    },
  );
});

describe('settings', () => {
  it('KS-041: unknown names, empty ids and bad URIs are named', () => {
    expect(() => readSettings({ aziot_keys: { homedir_pat: '/x' } })).toThrow(
      /homedir_pat.*did you mean "homedir_path"/,
    );
    expect(() => readSettings({ preloaded_keys: { '': 'file:///x' } })).toThrow(/empty/);
    expect(() => readSettings({ preloaded_keys: { a: 'http://x' } })).toThrow(/"a".*file or pkcs11/);
    expect(() => readSettings({ aziot_keys: { pkcs11_base_slot: 'pkcs11:object=x?pin-value=secret' } })).toThrow(
      /pkcs11_base_slot.*neither a token nor a slot-id/,
    );
  });

  it('defaults', () => {
    const settings = readSettings({});
    expect([settings.maxRequests, settings.homeFolder, settings.preloaded.size]).toEqual([10, undefined, 0]);
  });
});

describe('principals', () => {
  const principals = new Principals([
    { uid: 5, keys: ['test?'] },
    { uid: 6, keys: ['*'] },
    { uid: 5, keys: ['more'] },
  ]);

  it.each([
    ['KS-030 root', 0, 'any', true],
    ['KS-030 nobody', 7, 'test1', false],
    ['KS-031', 5, 'test1', true],
    ['KS-031', 5, 'testé', true],
    ['KS-031', 5, 'test', false],
    ['KS-031', 5, 'test12', false],
    ['KS-031', 5, 'Test1', false],
    ['KS-032', 5, 'more', true],
    ['all', 6, 'x/y', true],
    ['KS-042 all', 6, 'handle-validation-key', false],
    ['KS-042 root', 0, 'handle-validation-key', false],
  ])('%s: uid %i, %s → %s', (_, uid, id, allowed) => {
    expect(principals.allows(toUid(uid), id)).toBe(allowed);
  });
});

describe('preferred algorithms', () => {
  it.each([
    [undefined, ['ec-p256', 'rsa-2048']],
    [null, ['ec-p256', 'rsa-2048']],
    ['*', ['ec-p256', 'rsa-2048']],
    ['rsa-4096:*', ['rsa-4096', 'ec-p256', 'rsa-2048']],
    ['foo:rsa-2048:rsa-2048', ['rsa-2048']],
    ['', []],
    [' rsa-2048', []],
    ['constructor', []],
  ])('KS-083: %j', (text, algorithms) => {
    expect(preferredAlgorithms(text)).toEqual(algorithms);
  });
});
