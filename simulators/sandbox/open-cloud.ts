import { join } from 'node:path';
import { createTestPki, type TestPki } from '../common/index.ts';
import { createDpsSimulator, type DpsSimulator } from '../dps/index.ts';
import { createEstSimulator } from '../est/index.ts';
import { createHubSimulator, type HubSimulator } from '../hub/index.ts';
import { Cleanup } from './cleanup.ts';
import type { Cloud, CloudRequest, EnrolmentFacts } from './cloud.ts';

/** The authority of the device's maker, whose certificates EST takes for a first enrolment. */
const MAKER_CA = 'maker';

interface Parts {
  readonly dps: DpsSimulator;
  readonly hub: HubSimulator;
  readonly estCaPem: string;
}

function enrol({ dps, hub, estCaPem }: Parts, { way, deviceId, secrets, localCaPem, tpmKeys }: EnrolmentFacts): void {
  const { enrolment } = way;
  const keys = { primaryKey: secrets.deviceKey, secondaryKey: secrets.secondaryKey };
  switch (enrolment.kind) {
    case 'dps-authorities': {
      const caPem = enrolment.issuer === 'est' ? estCaPem : localCaPem;
      if (caPem === undefined) throw new Error('the device has no CA of its own');
      dps.enrollments.addGroup({ groupId: 'test-devices', attestation: { type: 'x509', caPem: [caPem] } });
      return;
    }
    case 'dps-key':
      dps.enrollments.addIndividual({ registrationId: deviceId, attestation: { type: 'symmetricKey', ...keys } });
      return;
    case 'dps-group-key': {
      const group = { primaryKey: secrets.groupKey, secondaryKey: secrets.secondaryKey };
      dps.enrollments.addGroup({ groupId: 'test-devices', attestation: { type: 'symmetricKey', ...group } });
      return;
    }
    case 'dps-tpm':
      if (tpmKeys === undefined) throw new Error('the device has no TPM');
      dps.enrollments.addIndividual({ registrationId: deviceId, attestation: { type: 'tpm', ...tpmKeys } });
      return;
    case 'hub-key':
      hub.registry.upsertDevice({ deviceId, authentication: { type: 'sas', ...keys } });
      return;
    case 'hub-authority':
      hub.registry.upsertDevice({ deviceId, authentication: { type: 'certificateAuthority', caPem: [estCaPem] } });
      return;
  }
}

/** Starts EST, DPS and a hub with one test PKI, all with their state in `folder`. */
export async function openCloud({ folder, ports }: CloudRequest): Promise<Cloud> {
  const opened = new Cleanup();
  try {
    const pki: TestPki = await createTestPki({ stateDir: join(folder, 'pki') });
    const estCa = await pki.ca('est');
    const maker = await pki.ca(MAKER_CA);
    const stateDir = join(folder, 'state');

    const hub = await createHubSimulator({ pki, stateDir, ...(ports ? { port: ports.hub } : {}) });
    opened.add(() => hub.close());
    const dps = await createDpsSimulator({
      pki,
      stateDir,
      hubs: [hub.link],
      // a person is waiting: the device is assigned by the first poll, which comes at once
      assigningPolls: 0,
      retryAfterSeconds: 0,
      ...(ports ? { port: ports.dps } : {}),
    });
    opened.add(() => dps.close());
    const est = await createEstSimulator({
      pki,
      auth: { clientCas: [maker.certificatePem, estCa.certificatePem] },
      ...(ports ? { port: ports.est } : {}),
    });
    opened.add(() => est.close());

    const parts = { dps, hub, estCaPem: estCa.certificatePem };
    const portOf = (url: string) => Number(new URL(url).port);
    return {
      rootPem: pki.root.certificatePem,
      estCaPem: est.caPem,
      estUrl: est.url,
      dpsUrl: dps.url,
      scopeId: dps.scopeId,
      hubName: hub.hostName,
      hubUrl: hub.url,
      ports: { est: portOf(est.url), dps: portOf(dps.url), hub: portOf(hub.url) },
      issueBootstrap: async (deviceId) => {
        const subject = `CN=${deviceId},OU=TEST bootstrap`;
        const { certPem, keyPem } = await pki.issueClientCertificate(subject, { caName: MAKER_CA });
        return { certificatePem: certPem, keyPem };
      },
      enrol: (facts) => enrol(parts, facts),
      close: async () => {
        await opened.run();
      },
    };
  } catch (error) {
    await opened.run();
    throw error;
  }
}
