import { readFile } from 'node:fs/promises';
import { runDaemon, type StartDaemon } from '../process/index.ts';

const DAEMONS: Readonly<Record<string, () => Promise<StartDaemon>>> = {
  keyd: async () => (await import('../keys/index.ts')).startKeyd,
  certd: async () => {
    const { startCertd } = await import('../certificates/index.ts');
    const { WriteThread } = await import('../files/index.ts');
    const { write } = new WriteThread();
    return (context) => startCertd(context, write);
  },
  identityd: async () => (await import('../identity/index.ts')).startIdentityd,
  tpmd: async () => (await import('../tpm/index.ts')).startTpmd,
};

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

const name = process.argv[2] ?? '';
if (Object.hasOwn(DAEMONS, name)) {
  const version = await packageVersion();
  await runDaemon({
    name: `aziot-${name}`,
    version,
    start: async (context) => {
      const start = await DAEMONS[name]?.();
      if (!start) throw new Error(`no daemon is called ${name}`);
      return start(context);
    },
  });
} else {
  const what = name === '' ? 'no daemon named' : `no daemon is called "${name}"`;
  process.stderr.write(`aziotd: ${what}; use one of: ${Object.keys(DAEMONS).join(', ')}\n`);
  process.exitCode = 1;
}
