import { createTestPki } from '../simulators/common/index.ts';
import { createHubSimulator } from '../simulators/hub/index.ts';

// The simulated hub in a process of its own, with one device whose key is 32 bytes of 4. Tells its name and root, then runs until it is killed.
const pki = await createTestPki();
const hub = await createHubSimulator({ pki });
hub.registry.upsertDevice({
  deviceId: 'bench',
  authentication: { type: 'sas', primaryKey: Buffer.alloc(32, 4).toString('base64') },
});
process.stdout.write(`${JSON.stringify({ hostName: hub.hostName, rootPem: pki.root.certificatePem })}\n`);
