import type { KeydClient, KeyHandle } from '../clients/index.ts';
import { type Clock, causeChain, type Logger } from '../process/index.ts';
import type { Device } from './device.ts';
import { keyClientFailed } from './failures.ts';
import type { IdentityAuth } from './identity-shape.ts';
import type { Memo } from './memo.ts';

const PAUSE_MS = 5000;

/** The `auth` of the device identity: its key is looked up in keyd, at most once a moment (spec/identity-service.md 5.3). */
export interface DeviceAuth {
  /** Throws the 404 `Key client error`. */
  now(device: Device): Promise<IdentityAuth>;
  /**
   * For E2: waits until keyd gives the key. IoT Edge takes an error for a verdict on the device and removes its modules
   * (design 4), while a key service that is away says nothing about the device. Undefined after a pause: ask again, the
   * device may be another by then. Throws the reason of the caller's signal when the caller hangs up.
   */
  patiently(device: Device, caller: { readonly signal: AbortSignal }): Promise<IdentityAuth | undefined>;
}

/** What it works with; `memo` keeps the handles of callers who come often. */
export interface DeviceAuthTools {
  readonly keyd: KeydClient;
  readonly memo: Memo<KeyHandle>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Makes it over a keyd. */
export function createDeviceAuth({ keyd, memo, clock, log }: DeviceAuthTools): DeviceAuth {
  async function now({ credential }: Device): Promise<IdentityAuth> {
    if (credential.kind === 'tpm') return { type: 'tpm' };
    try {
      if (credential.kind === 'sas') {
        const { keyId } = credential;
        return { type: 'sas', keyHandle: await memo.get(`key ${keyId}`, () => keyd.loadKey(keyId)) };
      }
      const { keyPairId } = credential;
      const keyHandle = await memo.get(`pair ${keyPairId}`, () => keyd.loadKeyPair(keyPairId));
      return { type: 'x509', keyHandle, certId: credential.certId };
    } catch (error) {
      throw keyClientFailed(error);
    }
  }
  return {
    now,
    async patiently(device, caller) {
      try {
        return await now(device);
      } catch (error) {
        log.warn(`A caller waits for the device identity; its key is not to be had: ${causeChain(error).at(-1)}`);
        await clock.sleep(PAUSE_MS, caller.signal);
        return undefined;
      }
    },
  };
}
