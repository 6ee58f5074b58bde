import { expect, test } from 'vitest';
import { basicConstraints, type Certificate, encodeName, keyUsage, orderChain } from './index.ts';
import { authority, issue, keys } from './testing/issuing.ts';

test('EST-024 EST-026 the leaf comes first, then its issuers, each once; strangers are dropped', async () => {
  const root = await authority();
  const middle = keys();
  const intermediate = await issue({
    leaf: middle,
    issuer: root,
    extensions: [basicConstraints({})],
    subject: encodeName([['CN', 'middle']]),
  });
  const own = keys();
  const leaf = await issue({ leaf: own, issuer: { signer: middle.signer, chain: [intermediate] } });
  const stranger = await issue({ subject: encodeName([['CN', 'TEST stranger']]), extensions: [basicConstraints({})] });
  const ordered = orderChain([intermediate, leaf], [stranger, ...root.chain, intermediate, leaf], own.publicKey);
  expect(ordered).toEqual([leaf, intermediate, root.chain[0]]);
});

test('roll-over certificates of the root stay behind the chain, a second leaf does not', async () => {
  const subject = encodeName([['CN', 'TEST root']]);
  const [oldKey, newKey, own] = [keys(), keys(), keys()];
  const ca = [basicConstraints({}), keyUsage('keyCertSign', 'cRLSign')];
  const oldRoot = await issue({ leaf: oldKey, subject, extensions: ca });
  const newRoot = await issue({ leaf: newKey, subject, extensions: ca });
  const crossed = (leaf: ReturnType<typeof keys>, by: ReturnType<typeof keys>, root: Certificate) =>
    issue({ leaf, subject, extensions: ca, issuer: { signer: by.signer, chain: [root] } });
  const oldWithNew = await crossed(oldKey, newKey, newRoot);
  const newWithOld = await crossed(newKey, oldKey, oldRoot);
  const leaf = await issue({ leaf: own, issuer: { signer: newKey.signer, chain: [newRoot] } });
  const another = await issue({ issuer: { signer: newKey.signer, chain: [newRoot] } });
  const stranger = await authority();
  const received = [oldRoot, oldWithNew, newWithOld, another, ...stranger.chain, newRoot];
  const ordered = orderChain([leaf], received, own.publicKey);
  expect(ordered[0]).toBe(leaf);
  expect(new Set(ordered)).toEqual(new Set([leaf, newRoot, newWithOld, oldRoot, oldWithNew]));
});

test('without the issuer of the leaf nothing is known about the rest, and it stays', async () => {
  const [own, root] = [keys(), await authority()];
  const leaf = await issue({ leaf: own, issuer: root });
  const other = await issue({
    leaf: keys(),
    subject: encodeName([['CN', 'TEST other']]),
    extensions: [basicConstraints({})],
  });
  expect(orderChain([leaf], [other], own.publicKey)).toEqual([leaf, other]);
});

test('EST-025 a certificate for another key is refused', async () => {
  const cert = await issue({});
  expect(() => orderChain([cert], [], keys().publicKey)).toThrow('key of the request');
});
