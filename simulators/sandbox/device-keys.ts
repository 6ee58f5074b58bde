import { type ConfigFacts, preloadedKeys } from './daemon-configs.ts';
import { locateKey } from './key-location.ts';
import type { DeviceKey } from './outcome.ts';
import { IDS, type Way } from './ways.ts';

function usesOf(way: Way): [id: string, use: string][] {
  const ofDevice = way.attestation === 'x509' ? 'key pair of the device certificate' : 'symmetric key of the device';
  const est: [string, string][] = [
    [IDS.estIdentity, 'key pair for EST'],
    [IDS.estBootstrap, "key pair of the device's maker"],
  ];
  return [
    [IDS.device, ofDevice],
    ...(way.issuer === 'est' ? est : []),
    ...(way.issuer === 'local-ca' ? [[IDS.localCa, "key pair of the device's own CA"] as [string, string]] : []),
    [IDS.master, 'root of the module keys'],
  ];
}

/** The keys of the provisioned device and where each is kept. */
export async function deviceKeys(facts: ConfigFacts): Promise<DeviceKey[]> {
  const store = { keydFolder: facts.folders.keyd, token: facts.token?.label, preloaded: preloadedKeys(facts) };
  return Promise.all(usesOf(facts.way).map(async ([id, use]) => ({ id, use, location: await locateKey(id, store) })));
}
