// Brings a fresh clone to where the product and its tests run. Says nothing when there is nothing to do; all it says goes
// to standard error. Runs on Node 20 or newer, without any dependency.
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runStep } from './child.mjs';
import { alone } from './setup-lock.mjs';
import {
  aptLine,
  buildNeeded,
  installNeeded,
  missingPackages,
  PACKAGE_OF,
  packageAction,
  TEST_PACKAGE_OF,
} from './setup-plan.mjs';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = join(ROOT, 'node_modules');
const BUNDLED_NODE = join(MODULES, 'node/bin/node');
const INSTALL_RECORD = join(MODULES, '.setup-lock-hash');
const ENGINE_SOURCES = join(ROOT, 'impl/openssl');
const ENGINE = join(ENGINE_SOURCES, 'build/aziot_keys.so');
const TCTI_SOURCES = join(ROOT, 'impl/tpm');
const TCTI_EXCHANGE = join(TCTI_SOURCES, 'build/aziot_tcti.so');
const BUNDLER = join(ROOT, 'scripts/bundle.mjs');
const BUILT_DAEMONS = join(ROOT, 'impl/bin/build/main.js');
const PKCS11_PACKAGE = join(MODULES, 'pkcs11js');
const PKCS11_ADDON = join(PKCS11_PACKAGE, 'build/Release/pkcs11.node');
const SOFTHSM_MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
];
const TABRMD_TCTI = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/libtss2-tcti-tabrmd.so.0`);
const TPM_MODULES = [
  '/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so',
  '/usr/lib/aarch64-linux-gnu/pkcs11/libtpm2_pkcs11.so',
  '/usr/lib/pkcs11/libtpm2_pkcs11.so',
];

const say = (text) => process.stderr.write(`set-up: ${text}\n`);

function stampOf(path) {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return undefined;
  }
}

function isCommand(name) {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'].some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

/** The machine's own PATH, without the folders of this tree that npm puts in front: the install replaces those. */
function machinePath() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.filter((folder) => !resolve(folder).startsWith(MODULES)).join(delimiter);
}

function machineEnv() {
  const env = { ...process.env, PATH: machinePath() };
  // npm hands its own settings to its children; the install must read the project's
  for (const name of Object.keys(env))
    if (/^npm_(config|lifecycle|package|execpath|node_execpath)/.test(name)) delete env[name];
  return env;
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
}

function modulesAreStale() {
  return installNeeded({
    modulesStamp: stampOf(join(MODULES, '.package-lock.json')),
    lockStamp: stampOf(join(ROOT, 'package-lock.json')) ?? 0,
    recordedHash: existsSync(INSTALL_RECORD) ? readFileSync(INSTALL_RECORD, 'utf8').trim() : undefined,
    lockHash: lockHash(),
  });
}

function toolsPresent() {
  const things = [...Object.keys(PACKAGE_OF), ...Object.keys(TEST_PACKAGE_OF)];
  return {
    ...Object.fromEntries(things.map((name) => [name, isCommand(name)])),
    'TPM PKCS#11 module': TPM_MODULES.some((path) => existsSync(path)),
    'TCTI of tpm2-abrmd': TABRMD_TCTI.some((path) => existsSync(path)),
    'softhsm module': SOFTHSM_MODULES.some((path) => existsSync(path)),
    'openssl headers': existsSync('/usr/include/openssl/engine.h'),
  };
}

function engineIsStale() {
  if (!existsSync(join(ENGINE_SOURCES, 'build.sh'))) return false;
  const sources = readdirSync(ENGINE_SOURCES).filter((name) => /\.(c|h|sh)$/.test(name));
  return buildNeeded({
    built: stampOf(ENGINE),
    sources: sources.map((name) => stampOf(join(ENGINE_SOURCES, name)) ?? 0),
  });
}

function tctiIsStale() {
  const sources = ['tcti_exchange.c', 'build.sh'].map((name) => stampOf(join(TCTI_SOURCES, name)) ?? 0);
  return buildNeeded({ built: stampOf(TCTI_EXCHANGE), sources });
}

function addonIsStale() {
  return existsSync(PKCS11_PACKAGE) && existsSync(join(MODULES, 'node-api-headers')) && !existsSync(PKCS11_ADDON);
}

async function installModules() {
  say('installing the packages of package-lock.json, about a minute');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const options = { cwd: ROOT, env: machineEnv() };
  // `npm ci` refuses a lock file without the optional packages of other systems, and a registry that holds none of those
  // yields just such a file; `npm install` takes the same versions from it and checks the same hashes
  const done =
    (await runStep('npm', ['ci', ...quiet], { ...options, stdio: 'ignore' })) ||
    (await runStep('npm', ['install', '--no-save', ...quiet], options));
  if (!done)
    throw new Error('the packages could not be installed; see the lines of npm above, then run the same command again');
  writeFileSync(INSTALL_RECORD, `${lockHash()}\n`);
}

async function installNode() {
  say('fetching Node 24 (npm rebuild node)');
  const done = await runStep('npm', ['rebuild', 'node', '--ignore-scripts=false', '--loglevel=error'], {
    cwd: ROOT,
    env: machineEnv(),
  });
  if (!done || !existsSync(BUNDLED_NODE))
    say('Node 24 could not be fetched; the Node of this machine is used if it is new enough');
}

async function installPackages(packages) {
  say(`installing system packages: ${packages.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const done =
    (await runStep('apt-get', ['update', '-qq'], { env })) &&
    (await runStep('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env }));
  if (!done) say(`the system packages could not be installed, going on without them; later: ${aptLine(packages)}`);
}

async function buildEngine() {
  say('building the OpenSSL engine');
  if (!(await runStep('sh', [join(ENGINE_SOURCES, 'build.sh')], { cwd: ROOT }))) {
    say('the OpenSSL engine could not be built: the X.509 ways of provisioning are not available');
  }
}

async function buildTcti() {
  say('compiling the exchange with a TPM');
  if (!(await runStep('sh', [join(TCTI_SOURCES, 'build.sh')], { cwd: ROOT })))
    say('the exchange with a TPM could not be compiled: tpmd makes two calls in place of one');
}

/** Modification times of the sources of the daemons, as the launcher looks at them. */
function daemonSourceStamps() {
  const names = readdirSync(join(ROOT, 'impl'), { recursive: true });
  const sources = names.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  return [...sources.map((name) => join(ROOT, 'impl', name)), join(ROOT, 'package-lock.json'), BUNDLER].map(
    (path) => stampOf(path) ?? 0,
  );
}

function daemonsAreStale() {
  // rolldown is among the packages of development: an installation without them runs from the sources
  if (!existsSync(join(MODULES, 'rolldown')) && existsSync(MODULES)) return false;
  return buildNeeded({ built: stampOf(BUILT_DAEMONS), sources: daemonSourceStamps() });
}

async function buildDaemons() {
  say('putting the daemons into a few files');
  if (!(await runStep(productNode(), [BUNDLER], { cwd: ROOT })))
    say('the daemons could not be put into a few files: they run from their sources, and start slower');
}

/** pkcs11js without its own build tool, which would fetch Node's headers from the network. */
async function buildPkcs11() {
  say('compiling the PKCS#11 binding');
  mkdirSync(dirname(PKCS11_ADDON), { recursive: true });
  const unfinished = `${PKCS11_ADDON}.${process.pid}`;
  const sources = ['dl', 'common', 'main'].map((name) => join(PKCS11_PACKAGE, `src/${name}.cpp`));
  const includes = [join(MODULES, 'node-api-headers/include'), join(PKCS11_PACKAGE, 'includes')].map(
    (folder) => `-I${folder}`,
  );
  const flags = ['-O2', '-std=c++17', '-shared', '-fPIC', '-DBUILDING_NODE_EXTENSION', '-DNAPI_DISABLE_CPP_EXCEPTIONS'];
  if (await runStep('g++', [...flags, ...includes, '-o', unfinished, ...sources, '-ldl'])) {
    renameSync(unfinished, PKCS11_ADDON);
  } else {
    rmSync(unfinished, { force: true });
    say('the PKCS#11 binding could not be compiled: keys go to the file store');
  }
}

/** The Node to run the product on: the bundled one, else the machine's own if it is recent enough. Throws where there is none. */
export function productNode() {
  if (existsSync(BUNDLED_NODE)) return BUNDLED_NODE;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  throw new Error(`Node 24 is needed, this is ${process.versions.node}; run: npm rebuild node --ignore-scripts=false`);
}

/**
 * Does what is missing, and nothing else.
 * @param {{forTests?: boolean}} [wanted] whether what only the tests use is wanted too
 * @returns {Promise<{node: string, aptLine: string | undefined}>} the Node to run the product on, and the line that would add
 *   the system packages which are still missing
 */
export async function setUp({ forTests = false } = {}) {
  const packageOf = forTests ? { ...PACKAGE_OF, ...TEST_PACKAGE_OF } : PACKAGE_OF;
  const hasApt = existsSync('/usr/bin/apt-get');
  const isRoot = process.getuid?.() === 0;
  let packages = missingPackages(toolsPresent(), packageOf);
  const action = packageAction({ packages, isRoot, hasApt });
  const canCompile = (present) => present.gcc && present['openssl headers'];
  const present = toolsPresent();
  const work =
    modulesAreStale() ||
    !existsSync(BUNDLED_NODE) ||
    action.action === 'install' ||
    (engineIsStale() && canCompile(present)) ||
    (tctiIsStale() && present.gcc) ||
    (addonIsStale() && present['g++']) ||
    daemonsAreStale();
  if (action.action === 'tell') say(action.message);
  if (work) {
    await alone(ROOT, say, async () => {
      if (modulesAreStale()) await installModules();
      if (!existsSync(BUNDLED_NODE)) await installNode();
      packages = missingPackages(toolsPresent(), packageOf);
      if (packageAction({ packages, isRoot, hasApt }).action === 'install') await installPackages(packages);
      const now = toolsPresent();
      packages = missingPackages(now, packageOf);
      if (engineIsStale() && canCompile(now)) await buildEngine();
      if (tctiIsStale() && now.gcc) await buildTcti();
      if (addonIsStale() && now['g++']) await buildPkcs11();
      if (daemonsAreStale()) await buildDaemons();
    });
  }
  return { node: productNode(), aptLine: packages.length === 0 ? undefined : aptLine(packages) };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  setUp().catch((error) => {
    say(error.message);
    process.exitCode = 1;
  });
}
