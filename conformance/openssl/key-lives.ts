import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compilerMissing } from '../keys/index.ts';
import { type Context, type Group, group } from '../runner/index.ts';
import { keysWorld } from './loading.ts';

const SOURCE = fileURLToPath(new URL('./key-lives.c', import.meta.url));
const VALGRIND = '/usr/bin/valgrind';
/** A checker of memory; without one, the C library's own checks of freed memory. */
const CHECKER = existsSync(VALGRIND)
  ? [VALGRIND, '-q', '--error-exitcode=99', '--leak-check=full', '--errors-for-leak-kinds=definite,indirect']
  : ['env', 'MALLOC_CHECK_=3', 'MALLOC_PERTURB_=85'];

function lives(what: 'copy' | 'outlive') {
  return async (context: Context): Promise<void> => {
    const missing = compilerMissing();
    if (missing !== undefined) context.skip(missing);
    if (!existsSync('/usr/include/openssl/engine.h'))
      context.skip('needs the headers of OpenSSL: apt-get install libssl-dev');
    const engine = await keysWorld(context);
    const options = ['-Wall', '-Werror', '-DOPENSSL_SUPPRESS_DEPRECATED'];
    await engine.must(['gcc', ...options, '-o', 'key-lives', SOURCE, '-lcrypto']);
    const handles = [engine.handle('ec'), engine.handle('rsa')];
    const ended = await engine.run([...CHECKER, engine.path('key-lives'), what, ...handles]);
    assert.equal(ended.exit, 0, `exit ${ended.exit}: ${ended.stderr}`);
  };
}

/** Memory: copies of keys, and keys that outlive the engine. */
export const keyLives: Group = group('openssl engine: lives of keys', {
  'SSL-025': ['a key is copied, and each copy signs after the other was freed', 'spec', lives('copy')],
  'SSL-026': ['a key signs after the reference of the engine was freed, and leaks nothing', 'spec', lives('outlive')],
});
