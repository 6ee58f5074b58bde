import { HttpsError, runExchange, type SendHttps, sendHttps, type TrustStore } from '../../impl/https/index.ts';
import {
  createFaultScript,
  createTestPki,
  type Fault,
  type FaultScript,
  type TestCa,
} from '../../simulators/common/index.ts';
import { createDpsSimulator, type DpsSimulator } from '../../simulators/dps/index.ts';
import { createHubSimulator, type HubSimulator } from '../../simulators/hub/index.ts';
import { JumpingClock } from './jumping-clock.ts';
import type { MemoryKeyd } from './memory-services.ts';

/** DPS and hub in this process, on a clock that jumps, and with faults that a seed decides. */
export interface FaultCloud {
  readonly clock: JumpingClock;
  readonly dps: DpsSimulator;
  readonly hub: HubSimulator;
  readonly deviceCa: TestCa;
  readonly good: TrustStore;
  readonly bad: TrustStore;
  /** The client's own way to send, over real TLS; client certificates are signed with the key of `keyd` in this process. */
  sendFor(keyd: MemoryKeyd): SendHttps;
  /** Begins a run: from now on the faults of this seed. */
  reseed(seed: number): void;
  close(): Promise<void>;
}

/** A script that can be begun again with another seed: the simulators keep the one that they were made with. */
function reseedable(): FaultScript & { reseed(seed: number): void } {
  let script = createFaultScript();
  return {
    get seed() {
      return script.seed;
    },
    add: (rule) => script.add(rule),
    clear: () => script.clear(),
    next: (method, target) => script.next(method, target),
    reseed(seed) {
      script = createFaultScript({ seed });
    },
  };
}

/** Makes the cloud. */
export async function createFaultCloud(): Promise<FaultCloud> {
  const clock = new JumpingClock(Date.now());
  const serverClock = { now: () => clock.now(), sleep: async (milliseconds: number) => clock.advance(milliseconds) };
  const pki = await createTestPki({ clock: serverClock });
  const dpsFaults = reseedable();
  const hubFaults = reseedable();
  const hub = await createHubSimulator({ pki, clock: serverClock, faults: hubFaults });
  const dps = await createDpsSimulator({ pki, clock: serverClock, hubs: [hub.link], faults: dpsFaults });
  const deviceCa = await pki.ca('device');
  dps.enrollments.addGroup({ groupId: 'x509', attestation: { type: 'x509', caPem: [deviceCa.certificatePem] } });
  const stranger = await (await createTestPki()).root.certificatePem;
  return {
    clock,
    dps,
    hub,
    deviceCa,
    good: { anchors: [pki.root.certificatePem], source: 'the test PKI' },
    bad: { anchors: [stranger], source: 'another PKI' },
    sendFor: (keyd) => (options) => {
      const { credential, keydSocketPath: _, signal, ...request } = options;
      if (!credential) return clock.busyWith(sendHttps(options));
      const { certificateChainPem: cert, keyHandle } = credential;
      const send = async () => {
        let key: string;
        try {
          key = keyd.privateKeyOf(keyHandle);
        } catch (error) {
          throw new HttpsError('client-credential', 'no such key', error);
        }
        return runExchange(request, { cert, key }, signal);
      };
      return clock.busyWith(send());
    },
    reseed(seed) {
      dpsFaults.reseed(seed);
      hubFaults.reseed(seed + 1);
      dps.journal.clear();
      hub.journal.clear();
    },
    async close() {
      await dps.close();
      await hub.close();
    },
  };
}

const MESSAGE = { dps: '{"errorCode":500000,"message":"no luck"}', hub: '{"Message":"ErrorCode:ServerError;no luck"}' };

/** The ways in which an answer can fail; `random` in [0, 1). */
export function randomFault(random: () => number, service: 'dps' | 'hub'): Fault {
  const retryAfter = random() < 0.5 ? { 'retry-after': String(Math.floor(random() * 900)) } : {};
  const status = (code: number, body = MESSAGE[service]): Fault => ({
    ...{ kind: 'status', status: code, body },
    headers: { 'content-type': 'application/json', ...retryAfter },
  });
  const kinds: readonly (() => Fault)[] = [
    () => status(429),
    () => status(500),
    () => status(503),
    () => status(502, ''),
    () => status(401),
    () => status(404),
    () => status(200, '{"unexpected":true}'),
    () => status(200, '[]'),
    () => ({ kind: 'reset' }),
    () => ({ kind: 'close-mid-body' }),
    () => ({ kind: 'bad-json' }),
    () => ({ kind: 'html' }),
    () => ({ kind: 'slow-bytes', milliseconds: 10 }),
    () => ({ kind: 'delay', milliseconds: 2000 }),
  ];
  const make = kinds[Math.floor(random() * kinds.length)];
  if (!make) throw new Error('no such fault');
  return make();
}
