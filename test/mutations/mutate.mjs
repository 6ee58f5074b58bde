// Loaded into a daemon by `node --import`: rewrites one source text as MUTATION says, when that file is loaded.
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const name = process.env.MUTATION;
const list = JSON.parse(readFileSync(new URL('mutations.json', import.meta.url), 'utf8'));
const mutation = list.find((candidate) => candidate.name === name);
if (!mutation) throw new Error(`no mutation is called ${name}`);
const target = fileURLToPath(new URL(`../../${mutation.file}`, import.meta.url));

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.startsWith('file:') || fileURLToPath(url) !== target) return loaded;
    const source = String(loaded.source);
    if (source.split(mutation.find).length !== 2) throw new Error(`${mutation.file} has no single place for ${name}`);
    return { ...loaded, source: source.replace(mutation.find, () => mutation.replace) };
  },
});
