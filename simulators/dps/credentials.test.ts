import { afterEach, describe, expect, test } from 'vitest';
import { issueTestCertificate, type TestCredential } from '../credentials/index.ts';
import { deriveDeviceKey } from './index.ts';
import {
  assertRefusal,
  B_KEY,
  client,
  clock,
  closeAll,
  GROUP_KEY,
  KEY,
  keys,
  poll,
  provision,
  reason,
  register,
  root,
  SECONDARY,
  seconds,
  shown,
  start,
  token,
  withoutPolicy,
} from './testing.ts';

afterEach(closeAll);

describe('a symmetric key', () => {
  test('register, assigning, assigned: statuses, headers and bodies of the service', async () => {
    const { dps, hub2 } = await start({ assigningPolls: 2, retryAfterSeconds: 7 });
    dps.enrollments.addIndividual({
      registrationId: 'Reg-01',
      deviceId: 'Dev-A',
      attestation: keys(KEY, SECONDARY),
      hubs: ['hub2.iot.test:8443'],
    });
    const authorization = token('Reg-01', KEY);

    const accepted = await register(dps, 'Reg-01', { authorization });
    expect([accepted.status, accepted.headers['retry-after']]).toEqual([202, '7']);
    const { operationId } = accepted.body;
    expect(operationId).toMatch(/^5\.[0-9a-f]{16}\.[0-9a-f-]{36}$/);
    expect(accepted.body).toEqual({ operationId, status: 'assigning' });

    for (let i = 0; i < 2; i += 1) {
      const waiting = await poll(dps, 'Reg-01', operationId, { authorization });
      expect([waiting.status, waiting.headers['retry-after'], waiting.body.status]).toEqual([202, '7', 'assigning']);
    }
    const assigned = await poll(dps, 'Reg-01', operationId, { authorization });
    expect([assigned.status, assigned.headers['retry-after']]).toEqual([200, undefined]);
    const at = new Date(clock.now()).toISOString().replace('Z', '0000Z');
    expect(assigned.body).toEqual({
      operationId,
      status: 'assigned',
      registrationState: {
        registrationId: 'Reg-01',
        createdDateTimeUtc: at,
        assignedHub: 'hub2.iot.test:8443',
        deviceId: 'Dev-A',
        status: 'assigned',
        substatus: 'initialAssignment',
        lastUpdatedDateTimeUtc: at,
        etag: 'IjEi',
      },
    });
    expect((await poll(dps, 'Reg-01', operationId, { authorization })).body).toEqual(assigned.body);
    expect(hub2.devices.get('Dev-A')).toEqual({
      deviceId: 'Dev-A',
      authentication: { type: 'sas', primaryKey: KEY, secondaryKey: SECONDARY },
      edge: false,
    });
    expect(dps.registrations.get('REG-01')).toMatchObject({ hubHostName: 'hub2.iot.test:8443', deviceId: 'Dev-A' });
    expect(dps.journal.list().every((entry) => entry.principal === 'individual/reg-01 (sas, primary key)')).toBe(true);
  });

  test.each<[string, () => string | undefined, RegExp]>([
    ['no token', () => undefined, /no token/],
    [
      'one changed character of the signature',
      () => token('Reg-01', KEY).replace(/sig=(.)/, (_, c) => `sig=${c === 'A' ? 'B' : 'A'}`),
      /signature/,
    ],
    ['an expired token', () => token('Reg-01', KEY, { se: seconds() }), /expired/],
    ['a token of ten years', () => token('Reg-01', KEY, { se: seconds() + 10 * 366 * 24 * 3600 }), /year/],
    ['no policy name', () => withoutPolicy('Reg-01', KEY), /no policy/],
    ['another policy name', () => token('Reg-01', KEY, { skn: 'provisioningserviceowner' }), /policy/],
    ['a token for another id', () => token('Reg-02', KEY), /is for/],
    ['a token for another scope', () => token('Reg-01', KEY, { scope: 'other' }), /is for/],
    ['the key of another device', () => token('Reg-01', B_KEY), /signature/],
  ])('CL-055 %s is refused', async (_, authorization, why) => {
    const { dps, hub1, hub2 } = await start();
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY) });
    const header = authorization();
    assertRefusal(await register(dps, 'Reg-01', header === undefined ? {} : { authorization: header }), 401, 401002);
    expect(reason(dps)).toMatch(why);
    expect(dps.registrations.list()).toEqual([]);
    expect(hub1.devices.size + hub2.devices.size).toBe(0);
  });

  test('the secondary key is taken; like Azure, a token without policy name too', async () => {
    const { dps } = await start({ mode: 'like-azure' });
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY, SECONDARY) });
    expect((await provision(dps, 'Reg-01', { authorization: withoutPolicy('Reg-01', SECONDARY) })).status).toBe(
      'assigned',
    );
    assertRefusal(await register(dps, 'Reg-01', { authorization: token('Reg-01', KEY, { skn: 'x' }) }), 401, 401002);
  });
});

describe('a symmetric-key group', () => {
  test('CL-031 a derived key is taken in either spelling of the id, the group key is not', async () => {
    const { dps, hub1, hub2 } = await start();
    dps.enrollments.addGroup({
      groupId: 'fleet',
      attestation: keys(GROUP_KEY, SECONDARY),
      hubs: ['hub1.iot.test'],
      edge: true,
    });
    for (const [groupKey, id] of [
      [GROUP_KEY, 'Grp-Dev'],
      [GROUP_KEY, 'grp-dev'],
      [SECONDARY, 'Grp-Dev'],
    ] as const) {
      const body = await provision(dps, 'Grp-Dev', { authorization: token('Grp-Dev', deriveDeviceKey(groupKey, id)) });
      expect(body.registrationState).toMatchObject({
        deviceId: 'Grp-Dev',
        symmetricKey: { enrollmentGroupId: 'fleet' },
      });
    }
    expect(hub2.devices.size).toBe(0);
    expect(hub1.devices.get('Grp-Dev')).toEqual({
      deviceId: 'Grp-Dev',
      edge: true,
      authentication: {
        type: 'sas',
        primaryKey: deriveDeviceKey(GROUP_KEY, 'Grp-Dev'),
        secondaryKey: deriveDeviceKey(SECONDARY, 'Grp-Dev'),
      },
    });
    assertRefusal(await register(dps, 'Grp-Dev', { authorization: token('Grp-Dev', GROUP_KEY) }), 401, 401002);
    const ofOther = token('Grp-Dev', deriveDeviceKey(GROUP_KEY, 'other'));
    assertRefusal(await register(dps, 'Grp-Dev', { authorization: ofOther }), 401, 401002);
  });

  test('an individual enrolment decides alone, even disabled', async () => {
    const { dps } = await start();
    dps.enrollments.addGroup({ groupId: 'fleet', attestation: keys(GROUP_KEY) });
    dps.enrollments.addIndividual({ registrationId: 'Grp-Dev', attestation: keys(KEY), enabled: false });
    const derived = token('Grp-Dev', deriveDeviceKey(GROUP_KEY, 'Grp-Dev'));
    assertRefusal(await register(dps, 'Grp-Dev', { authorization: derived }), 401, 401002);
    expect((await provision(dps, 'Grp-Dev', { authorization: token('Grp-Dev', KEY) })).status).toBe('disabled');
  });
});

describe('a certificate', () => {
  test('an individual enrolment takes the enrolled certificate, and the hub gets its thumbprint', async () => {
    const { dps, hub1 } = await start({ hubs: [] });
    const own = await start();
    const credential = client('Dev-X');
    const second = client('Dev-X');
    for (const { enrollments } of [dps, own.dps]) {
      enrollments.addIndividual({
        registrationId: 'Dev-X',
        attestation: { type: 'x509', primaryPem: second.pem, secondaryPem: credential.pem },
        hubs: [],
      });
    }
    expect((await provision(dps, 'Dev-X', shown(credential))).registrationState).toMatchObject({
      status: 'failed',
      errorCode: 400209,
    });
    expect(hub1.devices.size).toBe(0);

    const body = await provision(own.dps, 'Dev-X', shown(credential));
    expect(body.registrationState.x509.certificateInfo).toMatchObject({
      subjectName: 'CN=Dev-X, O=TEST',
      sha1Thumbprint: credential.chain[0]!.fingerprint.replaceAll(':', ''),
    });
    const made = own.hub1.devices.get('Dev-X') ?? own.hub2.devices.get('Dev-X');
    const thumbprint = ({ chain }: TestCredential) => chain[0]!.fingerprint256.replaceAll(':', '');
    expect(made?.authentication).toEqual({
      type: 'selfSigned',
      primaryThumbprint: thumbprint(second),
      secondaryThumbprint: thumbprint(credential),
    });
  });

  test('an individual enrolment takes what the enrolled authority issued', async () => {
    const { dps, hub1 } = await start();
    const attestation = { type: 'x509', primaryPem: root.pem } as const;
    dps.enrollments.addIndividual({ registrationId: 'Dev-X', attestation, hubs: ['hub1.iot.test'] });
    dps.enrollments.addIndividual({
      registrationId: 'Dev-Y',
      deviceId: 'renamed',
      attestation,
      hubs: ['hub1.iot.test'],
    });
    await provision(dps, 'Dev-X', shown(client('Dev-X')));
    expect(hub1.devices.get('Dev-X')?.authentication).toEqual({ type: 'certificateAuthority', caPem: [root.pem] });
    const renamed = client('Dev-Y');
    await provision(dps, 'Dev-Y', shown(renamed));
    const primaryThumbprint = renamed.chain[0]!.fingerprint256.replaceAll(':', '');
    expect(hub1.devices.get('renamed')?.authentication).toEqual({
      type: 'selfSigned',
      primaryThumbprint,
      secondaryThumbprint: null,
    });
  });

  test('of several groups the one whose authority is nearest decides, even disabled', async () => {
    const { dps } = await start();
    const issuing = issueTestCertificate({ commonName: 'TEST issuing', role: 'authority', issuer: root });
    dps.enrollments.addGroup({ groupId: 'far', attestation: { type: 'x509', caPem: [root.pem] } });
    dps.enrollments.addGroup({ groupId: 'near', attestation: { type: 'x509', caPem: [issuing.pem] } });
    const credential = shown(client('Dev-X', { issuer: issuing }));
    expect((await provision(dps, 'Dev-X', credential)).registrationState.x509.enrollmentGroupId).toBe('near');
    dps.enrollments.setEnabled('near', false);
    expect((await provision(dps, 'Dev-X', credential)).status).toBe('disabled');
    dps.enrollments.remove('near');
    expect((await provision(dps, 'Dev-X', credential)).registrationState.x509.enrollmentGroupId).toBe('far');
  });

  test.each<[string, () => TestCredential | undefined, RegExp]>([
    ['no certificate', () => undefined, /no certificate/],
    [
      'of another authority with the same name',
      () => client('Dev-X', { issuer: issueTestCertificate({ commonName: 'TEST device root', role: 'authority' }) }),
      /authority/,
    ],
    ['self-signed', () => issueTestCertificate({ commonName: 'Dev-X', role: 'client' }), /authority/],
    ['expired', () => client('Dev-X', { fromDay: -9, toDay: -1 }), /expired/],
    ['not yet valid', () => client('Dev-X', { fromDay: 1 }), /not yet valid/],
    ['of a server', () => client('Dev-X', { role: 'server' }), /not for clients/],
    ['of another common name', () => client('Dev-Y'), /is not 'Dev-X'/],
    ['of the common name in other letters', () => client('dev-x'), /is not 'Dev-X'/],
  ])('CL-056 one %s is refused, by a group and by an individual enrolment', async (_, make, why) => {
    const grouped = await start();
    grouped.dps.enrollments.addGroup({ groupId: 'g', attestation: { type: 'x509', caPem: [root.pem] } });
    const single = await start();
    single.dps.enrollments.addIndividual({
      registrationId: 'Dev-X',
      attestation: { type: 'x509', primaryPem: root.pem },
    });
    const credential = make();
    for (const { dps } of [grouped, single]) {
      assertRefusal(await register(dps, 'Dev-X', credential ? shown(credential) : {}), 401, 401002);
      expect(reason(dps)).toMatch(why);
    }
  });

  test('CL-056 a leaf without the intermediate authority is refused', async () => {
    const { dps } = await start();
    const issuing = issueTestCertificate({ commonName: 'TEST issuing', role: 'authority', issuer: root });
    dps.enrollments.addGroup({ groupId: 'g', attestation: { type: 'x509', caPem: [root.pem] } });
    const credential = client('Dev-X', { issuer: issuing });
    assertRefusal(await register(dps, 'Dev-X', { cert: credential.pem, key: credential.keyPem }), 401, 401002);
    expect((await register(dps, 'Dev-X', shown(credential))).status).toBe(202);
  });
});

describe('CL-057 polls', () => {
  test('another device, another credential of the same device, and an expired token see nothing', async () => {
    const { dps } = await start({ assigningPolls: 0 });
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY) });
    dps.enrollments.addIndividual({ registrationId: 'Reg-B', attestation: keys(B_KEY) });
    const authorization = token('Reg-01', KEY);
    const { operationId } = (await register(dps, 'Reg-01', { authorization })).body;

    const ofB = { authorization: token('Reg-B', B_KEY) };
    assertRefusal(await poll(dps, 'Reg-01', operationId, ofB), 401, 401002);
    assertRefusal(await poll(dps, 'Reg-B', operationId, ofB), 404, 404003);
    assertRefusal(await poll(dps, 'Reg-01', operationId), 401, 401002);
    assertRefusal(await poll(dps, 'Reg-01', '5.0.0', { authorization }), 404, 404003);
    clock.turn(31_000);
    assertRefusal(await poll(dps, 'Reg-01', operationId, { authorization }), 401, 401002);
    expect((await poll(dps, 'Reg-01', operationId, { authorization: token('Reg-01', KEY) })).body.status).toBe(
      'assigned',
    );
  });

  test('a device of the same group sees nothing', async () => {
    const { dps } = await start({ assigningPolls: 0 });
    dps.enrollments.addGroup({ groupId: 'fleet', attestation: keys(GROUP_KEY) });
    const of = (id: string) => ({ authorization: token(id, deriveDeviceKey(GROUP_KEY, id)) });
    const { operationId } = (await register(dps, 'dev-a', of('dev-a'))).body;
    assertRefusal(await poll(dps, 'dev-b', operationId, of('dev-b')), 404, 404003);
    assertRefusal(await poll(dps, 'dev-a', operationId, of('dev-b')), 401, 401002);
    expect((await poll(dps, 'dev-a', operationId, of('dev-a'))).status).toBe(200);
  });

  test('an operation belongs to the certificate that began it', async () => {
    const { dps } = await start({ assigningPolls: 0 });
    dps.enrollments.addGroup({ groupId: 'g', attestation: { type: 'x509', caPem: [root.pem] } });
    const mine = shown(client('Dev-X'));
    const { operationId } = (await register(dps, 'Dev-X', mine)).body;
    assertRefusal(await poll(dps, 'Dev-X', operationId, shown(client('Dev-X'))), 404, 404003);
    expect((await poll(dps, 'Dev-X', operationId, mine)).status).toBe(200);
  });
});
