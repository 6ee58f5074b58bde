import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings } from './load-settings.ts';
import { settingsText } from './settings-text.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aziot-settings-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function load(text: string) {
  await writeFile(join(folder, 'config.toml'), text);
  return loadSettings({ mainFile: join(folder, 'config.toml'), directory: join(folder, 'config.d') });
}

const MANUAL = `hostname = "h"
homedir = "/var/lib/x"
[provisioning]
source = "manual"
iothub_hostname = "hub"
device_id = "d"
[provisioning.authentication]
method = "sas"
device_id_pk = "k"
`;
const DPS = `hostname = "h"
homedir = "/x"
[provisioning]
source = "dps"
global_endpoint = "https://dps.test"
scope_id = "s"
[provisioning.attestation]
method = "x509"
identity_cert = "c"
identity_pk = "p"
`;
const principal = (uid: number, name: string, rest = '') => `[[principal]]\nuid = ${uid}\nname = "${name}"\n${rest}\n`;

/** Configuration files of the recorded runs with the state that the reference wrote from them. */
function recordedStates(): { id: string; prevState: string }[] {
  const file = new URL('../../fixtures/golden/identity-state.json', import.meta.url);
  const { snapshots } = JSON.parse(readFileSync(file, 'utf8')) as {
    snapshots: { scenario: string; at: string; files: { path: string; content?: string }[] }[];
  };
  return snapshots.flatMap(({ scenario, at, files }) => {
    const content = files.find(({ path }) => path === 'prev_state')?.content;
    return content === undefined ? [] : [{ id: `${scenario}: ${at}`, prevState: content.replaceAll('@ROOT@', '/run') }];
  });
}

describe('configuration', () => {
  it('IS-031: two principals with one name', async () => {
    await expect(load(MANUAL + principal(1, 'dup') + principal(2, 'dup', 'idtype = ["device"]'))).rejects.toThrow(
      'duplicate module name: dup',
    );
  });

  it('IS-032, IS-033, IS-034: what local identities and source "none" need', async () => {
    await expect(load(MANUAL + principal(1, 'l', 'idtype = ["local"]'))).rejects.toThrow(
      'invalid config for l: local id type requires localid config',
    );
    const options = 'idtype = ["module"]\nlocalid = { type = "x509" }';
    await expect(load(MANUAL + principal(1, 'm', options))).rejects.toThrow(
      'invalid config for m: local identity options specified for non-local identity',
    );
    const none = 'hostname = "h"\nhomedir = "/x"\n[provisioning]\nsource = "none"\n';
    await expect(load(none + principal(1, 'm', 'idtype = ["module"]'))).rejects.toThrow(
      'requires provisioning with IoT Hub',
    );
    const local = `${none}${principal(1, 'l', 'idtype = ["local"]')}[localid]\ndomain = "d"\n`;
    expect((await load(local)).settings.principals[0]?.idTypes).toEqual(['local']);
  });

  it('IS-035: the cloud timeout is 70 s at least', async () => {
    await expect(load(`cloud_timeout_sec = 69\n${MANUAL}`)).rejects.toThrow('must be at least 70 seconds');
    expect((await load(`cloud_timeout_sec = 70\n${MANUAL}`)).settings.cloudTimeoutSec).toBe(70);
  });

  it.each([
    [MANUAL.replace('"manual"', '"dps2"'), 'provisioning.source'],
    [MANUAL + principal(1, 'm', 'idtype = ["Module"]'), 'idtype'],
    [MANUAL.replace('hostname = "h"\n', ''), '"hostname" is missing'],
    [MANUAL.replace('device_id_pk = "k"', ''), '"provisioning.authentication.device_id_pk" is missing'],
    [DPS.replace('global_endpoint = "https://dps.test"', ''), '"provisioning.global_endpoint" is missing'],
    [DPS.replace('https://dps.test', 'dps.test'), 'must be a URL'],
    [`${MANUAL}${principal(4294967296, 'm')}`, 'uid'],
  ])('IS-036: refuses %#', async (text, message) => {
    await expect(load(text)).rejects.toThrow(message);
  });

  it.each([
    '{ threshold = "80%" }',
    '{ rotate_key = true, threshold = "100%", retry = "4%" }',
    '{ rotate_key = true, threshold = "80%", retry = "0min" }',
    '{ rotate_key = true, threshold = "1year", retry = "4%" }',
    '{ rotate_key = true, threshold = "80 %", retry = "4%" }',
  ])('IS-040: refuses identity_auto_renew = %s', async (table) => {
    await expect(load(`${DPS}identity_auto_renew = ${table}\n`)).rejects.toThrow('identity_auto_renew');
  });

  it('IS-041: a uid used twice is warned about with both names', async () => {
    const { warnings } = await load(MANUAL + principal(7, 'a', 'idtype = []') + principal(7, 'b', 'idtype = []'));
    expect(warnings).toEqual(['uid 7 is used by the principals "a" and "b"; the rights of "b" count']);
  });

  it('IS-022: a second daemon principal is warned about', async () => {
    const { warnings } = await load(MANUAL + principal(1, 'one') + principal(2, 'two'));
    expect(warnings.join()).toContain('Principal "two" is not authorized');
  });

  it('IS-057: DPS behind a gateway is refused', async () => {
    await expect(load(DPS.replace('scope_id', 'local_gateway_hostname = "gw"\nscope_id'))).rejects.toThrow(
      'nested mode',
    );
  });

  it('IS-085: a subject needs a CN; a text has no effect', async () => {
    const x509 = MANUAL.replace('"sas"', '"x509"').replace(
      'device_id_pk = "k"',
      'identity_cert = "c"\nidentity_pk = "p"',
    );
    await expect(load(`${x509}csr_subject = { L = "AQ" }\n`)).rejects.toThrow('needs the attribute CN');
    expect((await load(`${x509}csr_subject = "CN=x"\n`)).warnings.join()).toContain('csr_subject is a text');
  });

  it('warns about unknown keys and module names that the hub cannot take', async () => {
    const { warnings } = await load(
      `always_reprovision_on_startup = true\n${MANUAL}${principal(1, 'a b', 'idtype = ["module"]')}`,
    );
    expect(warnings.join('\n')).toContain('"always_reprovision_on_startup" is not known');
    expect(warnings.join('\n')).toContain('principal "a b" gets no module in the hub');
  });
});

describe('prev_state', () => {
  it.each(recordedStates().filter(({ prevState }) => !prevState.includes('max_requests = 0')))(
    'IS-046: $id is written as the reference wrote it',
    async ({ prevState }) => {
      expect(settingsText((await load(prevState)).settings)).toBe(prevState);
    },
  );
});
