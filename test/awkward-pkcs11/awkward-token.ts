import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Device, KEYD_V, softHsmModule } from '../support/device.ts';

const SOURCE = join(import.meta.dirname, 'awkward.c');

/** The awkward module before a SoftHSM token of the device, with the control file that makes it misbehave. */
export class AwkwardToken {
  /** Lines for `[aziot_keys]`. */
  readonly parameters: string;
  readonly #control: string;
  readonly #log: string;

  /** Builds the module (gcc) and makes the token. @param pin the one in the configuration; the token's is 1234. */
  constructor(device: Device, pin = '1234') {
    const module = device.path('files', 'awkward.so');
    execFileSync('gcc', ['-O1', '-shared', '-fPIC', '-o', module, SOURCE, '-ldl', '-lpthread'], { stdio: 'pipe' });
    this.#control = device.path('files', 'awkward.control');
    this.#log = device.path('files', 'awkward.log');
    this.parameters = device.token(pin).replace(softHsmModule ?? '', module);
    device.env['AWKWARD_INNER'] = softHsmModule ?? '';
    device.env['AWKWARD_CONTROL'] = this.#control;
    device.env['AWKWARD_LOG'] = this.#log;
  }

  /** From the next call on, these orders hold and no others; see awkward.c. */
  order(...orders: string[]): void {
    writeFileSync(this.#control, orders.join('\n'));
  }

  /** Results of all calls of a function so far, as `0x…`. */
  results(name: string): string[] {
    if (!existsSync(this.#log)) return [];
    const lines = readFileSync(this.#log, 'utf8').split('\n');
    return lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  }
}

/** Calls of keyd that the tests of tokens need. */
export class KeydCaller {
  readonly #device: Device;

  constructor(device: Device) {
    this.#device = device;
  }

  async key(keyId: string, usage = 'sign'): Promise<{ status: number; handle: string }> {
    const { status, body } = await this.#device.call('keyd', 'POST', `/key?${KEYD_V}`, { keyId, usage });
    return { status, handle: body.keyHandle };
  }

  async pair(keyId: string, preferredAlgorithms = 'ec-p256'): Promise<{ status: number; handle: string }> {
    const { status, body } = await this.#device.call('keyd', 'POST', `/keypair?${KEYD_V}`, {
      keyId,
      preferredAlgorithms,
    });
    return { status, handle: body.keyHandle };
  }

  /** Status, and the MAC where there is one. */
  async hmac(keyHandle: string): Promise<{ status: number; mac: string | undefined }> {
    const { status, body } = await this.#device.call('keyd', 'POST', `/sign?${KEYD_V}`, {
      keyHandle,
      algorithm: 'HMAC-SHA256',
      parameters: { message: 'aGVsbG8=' },
    });
    return { status, mac: body.signature };
  }

  async ecdsa(keyHandle: string): Promise<number> {
    const parameters = { digest: Buffer.alloc(32, 7).toString('base64') };
    return (await this.#device.call('keyd', 'POST', `/sign?${KEYD_V}`, { keyHandle, algorithm: 'ECDSA', parameters }))
      .status;
  }

  /** Stores and algorithms of an id, as `GET /keys` shows them to root. */
  async stores(id: string): Promise<string[]> {
    const { body } = await this.#device.call('keyd', 'GET', `/keys?${KEYD_V}`);
    const entries = body.keys as { id?: string; store: string; state: string }[];
    return entries.filter((entry) => entry.id === id).map(({ store, state }) => `${store} ${state}`);
  }

  async counters(): Promise<Record<string, number>> {
    return (await this.#device.call('keyd', 'GET', `/keys?${KEYD_V}`)).body.counters;
  }
}
