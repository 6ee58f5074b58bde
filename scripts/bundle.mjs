// Puts the daemons into a few files, `impl/bin/build/*.js`: Node then opens and strips three files at a start, not two hundred.
// The launcher takes them only while no source is newer, so they are never needed and never stale. Runs on Node 24.
import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const BIN = join(ROOT, 'impl/bin');
const BUILD = join(BIN, 'build');
/** What is started by its file's name: the daemons, the threads of TLS with keyd's keys, of writes and of the census of keys, the process of a token. */
const ENTRIES = {
  main: join(BIN, 'main.ts'),
  'credential-worker': join(ROOT, 'impl/https/credential-worker.ts'),
  'write-worker': join(ROOT, 'impl/files/write-worker.ts'),
  'census-worker': join(ROOT, 'impl/keys/census-worker.ts'),
  'host-main': join(ROOT, 'impl/keys/token/host-main.ts'),
};
const NATIVE = ['koffi', 'pkcs11js'];
const PLACE = /new URL\('\.\/([\w-]+)\.ts', import\.meta\.url\)|import\.meta\.(url|dirname)/g;

/**
 * A file's own place: `import.meta.url` and `import.meta.dirname` go on naming the source, whose neighbours are files that are not
 * bundled; a neighbour that is an entry is the built one.
 */
const ownPlace = {
  name: 'own-place',
  transform(code, id) {
    if (!id.startsWith(join(ROOT, 'impl')) || !code.includes('import.meta')) return null;
    const source = relative(BUILD, id);
    return code.replace(PLACE, (_, neighbour, word) => {
      if (neighbour !== undefined && neighbour in ENTRIES) return `new URL('./${neighbour}.js', import.meta.url)`;
      if (neighbour !== undefined) return `new URL('${dirname(source)}/${neighbour}.ts', import.meta.url)`;
      if (word === 'url') return `new URL('${source}', import.meta.url).href`;
      return `process.getBuiltinModule('node:path').join(import.meta.dirname, '${dirname(source)}')`;
    });
  },
};

const dir = mkdtempSync(join(BIN, 'build-'));
try {
  const bundle = await rolldown({
    input: ENTRIES,
    platform: 'node',
    external: NATIVE,
    plugins: [ownPlace],
    logLevel: 'warn',
  });
  await bundle.write({ dir, format: 'esm', entryFileNames: '[name].js', chunkFileNames: 'shared-[name]-[hash].js' });
  await bundle.close();
  chmodSync(dir, 0o755);
  const old = `${dir}-old`;
  if (existsSync(BUILD)) renameSync(BUILD, old);
  renameSync(dir, BUILD);
  rmSync(old, { recursive: true, force: true });
} catch (error) {
  rmSync(dir, { recursive: true, force: true });
  throw error;
}
