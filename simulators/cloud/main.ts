// The `aziot-test-cloud` command: EST, DPS and a hub as one process, steered from outside.
import { openCloudParts } from './cloud-parts.ts';
import { startControl } from './control-server.ts';

const USAGE = `aziot-test-cloud [--hub NAME] [--gateway NAME] [--dps NAME] [--scope ID] [--assigning-polls N]
Starts a TEST cloud on loopback, prints one line of JSON that tells where, and runs until SIGTERM or the end of its standard input.
`;
const DEFAULTS = {
  hub: 'hub1.iot.test',
  gateway: 'parent.iot.test',
  dps: 'dps.iot.test',
  scope: '0ne00Test01',
  'assigning-polls': '0',
};

const isOption = (name: string): name is keyof typeof DEFAULTS => Object.hasOwn(DEFAULTS, name);

function readNames(args: readonly string[]): typeof DEFAULTS | undefined {
  const names = { ...DEFAULTS };
  for (let at = 0; at < args.length; at += 2) {
    const name = args[at]?.replace(/^--/, '');
    const value = args[at + 1];
    if (value === undefined || name === undefined || !isOption(name)) return undefined;
    names[name] = value;
  }
  return /^\d{1,4}$/.test(names['assigning-polls']) ? names : undefined;
}

const names = readNames(process.argv.slice(2));
if (names === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 2;
} else {
  const parts = await openCloudParts({
    ...names,
    scopeId: names.scope,
    assigningPolls: Number(names['assigning-polls']),
  });
  const steering = await startControl(parts);
  const stop = async () => {
    await Promise.all([steering.close(), parts.close()]);
    process.exit(0);
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
  process.stdin.resume().once('end', stop);
  const portOf = (url: string | undefined) => Number(new URL(url ?? '').port);
  const document = {
    control: steering.url,
    rootPem: parts.pki.root.certificatePem,
    scopeId: names.scope,
    dps: { hostName: names.dps, port: portOf(parts.dps.url) },
    hub: { hostName: names.hub, port: portOf(parts.hub.url) },
    gateway: { hostName: names.gateway, port: portOf(parts.hub.gateway?.url) },
    est: { url: parts.est.url, caPem: parts.est.caPem },
  };
  process.stdout.write(`${JSON.stringify(document)}\n`);
}
