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
    ...(way.attestation === 'tpm' ? [] : [[IDS.device, ofDevice] as [string, string]]),
    ...(way.issuer === 'est' ? est : []),
    ...(way.issuer === 'local-ca' ? [[IDS.localCa, "key pair of the device's own CA"] as [string, string]] : []),
    [IDS.master, 'root of the module keys'],
  ];
}

/** The key that DPS gave, at the handle where tpmd keeps it (tpm-service.md 2: auth_key_index). */
const TPM_KEY: DeviceKey = { id: 'auth key', use: 'key of the device', location: { kind: 'tpm', handle: '81000100' } };

/** The keys of the provisioned device and where each is kept. */
export async function deviceKeys(facts: ConfigFacts): Promise<DeviceKey[]> {
  const store = { keydFolder: facts.folders.keyd, token: facts.token?.label, preloaded: preloadedKeys(facts) };
  const inKeyd = Promise.all(
    usesOf(facts.way).map(async ([id, use]) => ({ id, use, location: await locateKey(id, store) })),
  );
  return [...(facts.way.attestation === 'tpm' ? [TPM_KEY] : []), ...(await inKeyd)];
}
