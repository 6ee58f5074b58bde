import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { goldenGroups, loadGolden } from '../../runner/index.ts';
import { goldenIdentity } from '../golden-identity.ts';
import { CHAIN_NAMES, chainOf, sceneOf } from './chains.ts';

test('every recorded exchange is in one chain, in the order of the recording, and a scene in one chain alone', async () => {
  const recorded = (await loadGolden('identity')).map(({ id }) => id);
  const groups = await goldenGroups(goldenIdentity);
  expect(new Set(groups.map(({ name }) => name))).toEqual(
    new Set(CHAIN_NAMES.map((name) => `golden identity: ${name}`)),
  );
  for (const { name, requirements } of groups) {
    const inChain = recorded.filter((id) => name === `golden identity: ${chainOf(id)}`);
    expect(requirements.map(({ id }) => id)).toEqual(inChain.map((id) => `identity#${id}`));
    const scenes = new Set(inChain.map(sceneOf));
    expect(inChain).toEqual(recorded.filter((id) => scenes.has(sceneOf(id))));
  }
  expect(groups.flatMap(({ requirements }) => requirements)).toHaveLength(recorded.length);
});

test('each chain has a file of tests', async () => {
  const folder = new URL('../', import.meta.url);
  const names = (await readdir(folder)).filter((name) => /^golden.*\.test\.ts$/.test(name));
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, folder), 'utf8')));
  for (const chain of CHAIN_NAMES)
    expect(texts.filter((text) => text.includes(`testChain('${chain}')`))).toHaveLength(1);
  expect(texts).toHaveLength(CHAIN_NAMES.length);
});
