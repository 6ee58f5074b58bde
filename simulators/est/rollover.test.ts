import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BASIC, ByHand } from './testing/by-hand.ts';

let hand: ByHand;
beforeEach(async () => {
  hand = await ByHand.open();
});
afterEach(() => hand.close());

const blocksOf = (pem: string): string[] =>
  pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];

/** What cacerts shows to who trusts this root, PEM blocks in order. */
async function shown(root: string): Promise<string[]> {
  const { text } = await hand.curl('--cacert', root, `${hand.est.url}/cacerts`);
  return blocksOf(hand.certificatesIn(text));
}

/** What openssl verify says of a leaf when only one root is trusted. */
const verified = (root: string, leaf: string, ...between: string[]): string =>
  hand.opensslTold(
    'verify',
    '-CAfile',
    root,
    ...between.flatMap((pem, at) => ['-untrusted', hand.put(`between-${at}.pem`, pem)]),
    leaf,
  );

describe('change of the root (RFC 4210 4.4, RFC 7030 4.1.3)', () => {
  it('announced, switched, done: old and new clients verify old and new leaves all the way', async () => {
    await hand.start();
    const oldRoot = hand.at('root.pem');
    hand.request('/CN=old', { name: 'old' });
    const oldLeaf = await hand.enrolled(BASIC, { name: 'old' });
    expect(await shown(oldRoot)).toHaveLength(2);

    expect(await hand.est.advanceRollover()).toBe('announced');
    const announced = await shown(oldRoot);
    const [oldCa, root, newCa, newRoot, oldWithNew, newWithOld] = announced.map((pem, at) =>
      hand.put(`a-${at}.pem`, pem),
    );
    expect(announced).toHaveLength(6);
    const pemOf = (file: string | undefined) => hand.read((file ?? '').slice(hand.folder.length + 1)).toString();
    expect(pemOf(root).trim()).toBe(hand.pki.root.certificatePem.trim());
    hand.request('/CN=still old', { name: 'still' });
    expect(verified(oldRoot, await hand.enrolled(BASIC, { name: 'still' }), pemOf(oldCa))).toContain('OK');

    expect(await hand.est.advanceRollover()).toBe('switched');
    hand.request('/CN=new', { name: 'new' });
    const newLeaf = await hand.enrolled(BASIC, { name: 'new' });
    expect(verified(newRoot ?? '', newLeaf, pemOf(newCa))).toContain('OK');
    expect(verified(oldRoot, newLeaf, pemOf(newCa)), 'the old root alone').not.toMatch(/: OK/);
    expect(verified(oldRoot, newLeaf, pemOf(newCa), pemOf(newWithOld)), 'by NewWithOld').toContain('OK');
    expect(verified(newRoot ?? '', oldLeaf, pemOf(oldCa), pemOf(oldWithNew)), 'by OldWithNew').toContain('OK');
    expect(await shown(oldRoot), 'the server is reached by who trusts the old root').toHaveLength(6);
    expect(await shown(newRoot ?? ''), 'and the new').toHaveLength(6);

    const holding = ['--cert', oldLeaf, '--key', hand.at('old.key')];
    expect((await hand.enrol('simplereenroll', holding, 'old')).status, 'an old certificate still enrols').toBe(200);
    const fresh = ['--cert', newLeaf, '--key', hand.at('new.key')];
    expect((await hand.enrol('simplereenroll', fresh, 'new')).status, 'a new one too').toBe(200);

    expect(await hand.est.advanceRollover()).toBe('steady');
    expect(await shown(newRoot ?? '')).toEqual([pemOf(newCa), pemOf(newRoot)]);
    await expect(shown(oldRoot)).rejects.toThrow(/certificate/);
    const open = hand.put('ca.pem', hand.est.caPem);
    expect(verified(open, newLeaf)).toContain('OK');
  });
});
