import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import vectors from '../../fixtures/vectors/device-keys.json' with { type: 'json' };
import { type ConfigFacts, certdConfig, identitydConfig, keydConfig } from './daemon-configs.ts';
import { PROVISIONINGS } from './options.ts';
import { tomlFile } from './toml-values.ts';
import { DEVICE_ID, groupDeviceKey, wayOf } from './ways.ts';

const folder = '/data dir';
const facts = (name: (typeof PROVISIONINGS)[number], more: Partial<ConfigFacts> = {}): ConfigFacts => ({
  way: wayOf(name),
  folders: {
    base: folder,
    keyd: `${folder}/keyd`,
    certd: `${folder}/certd`,
    identityd: `${folder}/identityd`,
    tpmd: `${folder}/tpmd`,
    tpm: `${folder}/tpm`,
    cloud: `${folder}/cloud`,
    run: '/run/x',
    temporary: [],
  },
  token: { module: '/lib/softhsm.so', label: 'TEST sandbox', env: {}, pin: '1234' },
  tpm: undefined,
  cloud: {
    dpsUrl: 'https://localhost:1',
    scopeId: '0neTEST',
    hubName: 'localhost:2',
    estUrl: 'https://localhost:3/est',
  },
  deliveries: {
    estServerCa: `${folder}/cloud/ca.pem`,
    bootstrapCertificate: `${folder}/cloud/boot.pem`,
    bootstrapKey: `${folder}/cloud/boot.key`,
  },
  daemonUid: 0,
  host: { name: 'nobody', uid: 65534, gid: 65534 },
  ...more,
});

describe('the configurations of the daemons', () => {
  it('put key pairs into the token, and name it by a URI', () => {
    expect(keydConfig(facts('dps-x509-est'))).toMatchObject({
      aziot_keys: {
        homedir_path: '/data dir/keyd',
        pkcs11_lib_path: '/lib/softhsm.so',
        pkcs11_base_slot: 'pkcs11:token=TEST%20sandbox?pin-value=1234',
      },
      preloaded_keys: { 'est-bootstrap-id': 'file:///data%20dir/cloud/boot.key' },
    });
  });

  it('know no module where there is no token', () => {
    const { aziot_keys } = keydConfig(facts('dps-symmetric', { token: undefined }));
    expect(aziot_keys).toEqual({ homedir_path: '/data dir/keyd' });
  });

  it('enrol at the EST server, with the bootstrap certificate first', () => {
    expect(certdConfig(facts('dps-x509-est'))['cert_issuance']).toEqual({
      est: {
        trusted_certs: ['est-server-ca-1'],
        identity_cert: 'est-id',
        identity_pk: 'est-id',
        bootstrap_identity_cert: 'est-bootstrap-id',
        bootstrap_identity_pk: 'est-bootstrap-id',
        urls: { default: 'https://localhost:3/est' },
      },
      'device-id': { method: 'est' },
    });
  });

  it('never give two applications the same user', () => {
    for (const uid of [65533, 65534]) {
      const host = { name: 'agent', uid, gid: uid };
      const principals = identitydConfig(facts('dps-x509-est', { host }))['principal'] as { uid: number }[];
      expect(new Set(principals.map((principal) => principal.uid)).size).toBe(2);
    }
  });

  it.each(PROVISIONINGS)('are TOML that reads back the same for %s', (name) => {
    for (const config of [keydConfig(facts(name)), certdConfig(facts(name)), identitydConfig(facts(name))]) {
      expect(parse(tomlFile('a comment', config))).toEqual(config);
    }
  });

  it.each([
    ['dps-symmetric', { source: 'dps', attestation: { method: 'symmetric_key', symmetric_key: 'device-id' } }],
    ['manual-sas', { source: 'manual', iothub_hostname: 'localhost:2', authentication: { method: 'sas' } }],
    ['manual-x509', { source: 'manual', device_id: DEVICE_ID, authentication: { method: 'x509' } }],
  ] as const)('say how the device is provisioned: %s', (name, provisioning) => {
    expect(identitydConfig(facts(name))['provisioning']).toMatchObject(provisioning);
  });
});

it('CL-031 the key of a device of a group is derived from its registration id', () => {
  for (const { groupKey, registrationId, deviceKey } of vectors.cases)
    expect(groupDeviceKey(groupKey, registrationId)).toBe(deviceKey);
});
