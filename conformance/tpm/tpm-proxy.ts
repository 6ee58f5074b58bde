import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Command codes by name (TPM 2.0 Library, Part 2, 6.5.2). */
export const COMMAND_CODES = {
  EvictControl: 0x120,
  CreatePrimary: 0x131,
  SequenceComplete: 0x13e,
  Startup: 0x144,
  ActivateCredential: 0x147,
  PolicySecret: 0x151,
  HMAC: 0x155,
  Import: 0x156,
  Load: 0x157,
  HMAC_Start: 0x15b,
  SequenceUpdate: 0x15c,
  FlushContext: 0x165,
  ReadPublic: 0x173,
  StartAuthSession: 0x176,
  GetCapability: 0x17a,
  PolicyGetDigest: 0x189,
} as const;
export type CommandName = keyof typeof COMMAND_CODES;

/** A command that passed, and what was answered. */
export interface Passed {
  readonly name: CommandName | 'other';
  readonly request: Buffer;
  /** Undefined where no answer was given. */
  code: number | undefined;
}

/** What the proxy does with a command instead of passing it on. */
export type Play =
  /** Answered with a response code; the TPM does not see the command. */
  | { readonly kind: 'code'; readonly code: number }
  /** Answered with these bytes; the TPM does not see the command. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** The connection ends; the TPM does not see the command. */
  | { readonly kind: 'cut' }
  /** The TPM does the command, and its answer is lost. */
  | { readonly kind: 'lose' }
  /** Passed on after some time. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Passed on once the promise has resolved. */
  | { readonly kind: 'hold'; readonly until: Promise<unknown> };

interface Rule {
  readonly name: CommandName | 'any';
  readonly play: Play;
  /** Commands of that name that pass before. */
  skip: number;
  left: number;
}

const HEADER_BYTES = 10;

/** Splits a stream into TPM commands or responses, which carry their size. */
function onMessages(socket: Socket, take: (message: Buffer) => void): void {
  let held = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= HEADER_BYTES) {
      const size = held.readUInt32BE(2);
      if (held.length < size) return;
      take(held.subarray(0, size));
      held = held.subarray(size);
    }
  });
}

function nameOf(request: Buffer): Passed['name'] {
  const code = request.readUInt32BE(6);
  const found = Object.entries(COMMAND_CODES).find(([, known]) => known === code);
  return (found?.[0] as CommandName | undefined) ?? 'other';
}

function responseOf(code: number): Buffer {
  const bytes = Buffer.from('80010000000a00000000', 'hex');
  bytes.writeUInt32BE(code, 6);
  return bytes;
}

/** Listens on a free TCP port and the next one, which a swtpm's control channel has to have. */
async function listenPair(data: Server, control: Server): Promise<number> {
  const listen = (server: Server, port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  for (let attempt = 0; attempt < 50; attempt++) {
    await listen(data, 0);
    const { port } = data.address() as { port: number };
    try {
      await listen(control, port + 1);
      return port;
    } catch {
      await new Promise((resolve) => data.close(resolve));
    }
  }
  throw new Error('no two free ports in a row');
}

/** Stands in front of a software TPM: notes every command, and plays the faults that it is told. */
export class TpmProxy {
  readonly port: number;
  readonly passed: Passed[] = [];
  readonly #rules: Rule[] = [];
  readonly #held = new EventEmitter();
  /** The command that was held last. */
  #holds: Passed['name'] | undefined;
  readonly #servers: readonly Server[];
  readonly #open: Set<Socket>;

  private constructor(port: number, servers: readonly Server[], open: Set<Socket>) {
    this.port = port;
    this.#servers = servers;
    this.#open = open;
  }

  /** @param path the Unix socket of the TPM; its control channel is beside it with `.ctrl` */
  static async start(path: string): Promise<TpmProxy> {
    const open = new Set<Socket>();
    const track = (socket: Socket) => {
      open.add(socket);
      socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
    };
    let proxy: TpmProxy | undefined;
    const data = createServer((client) => {
      track(client);
      let last: Promise<void> = Promise.resolve();
      onMessages(client, (request) => {
        last = last.then(() => proxy?.handle(path, client, request)).catch(() => void client.destroy());
      });
    });
    const control = createServer((client) => {
      track(client);
      const tpm = connect(`${path}.ctrl`);
      track(tpm);
      // a TPM that is away ends the channel, as it would without this in between
      tpm.on('close', () => client.destroy());
      client.pipe(tpm).pipe(client);
    });
    const port = await listenPair(data, control);
    proxy = new TpmProxy(port, [data, control], open);
    return proxy;
  }

  get tcti(): string {
    return `swtpm:host=127.0.0.1,port=${this.port}`;
  }

  /** From now on plays this for commands of that name, so many times; so many of them pass before. */
  play(name: CommandName | 'any', play: Play, times = 1, skip = 0): void {
    this.#rules.push({ name, play, skip, left: times });
  }

  /** Waits until a command of that name, the next one that is held, has come. */
  async reached(name: CommandName): Promise<void> {
    while (this.#holds !== name) await once(this.#held, 'held');
    this.#holds = undefined;
  }

  /** Forgets what it was told to play. */
  calm(): void {
    this.#rules.length = 0;
  }

  /** The names of the commands since the last call, with response codes other than 0: `HMAC -> 0x922`. */
  takeTrace(): string[] {
    const text = ({ name, code }: Passed) =>
      code === 0 ? name : `${name} -> ${code === undefined ? 'nothing' : `0x${code.toString(16)}`}`;
    return this.passed.splice(0).map(text);
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }

  #next(command: Passed['name']): Play | undefined {
    const rule = this.#rules.find(({ name, left }) => left > 0 && (name === 'any' || name === command));
    if (!rule) return undefined;
    if (rule.skip > 0) {
      rule.skip--;
      return undefined;
    }
    rule.left--;
    return rule.play;
  }

  async handle(path: string, client: Socket, request: Buffer): Promise<void> {
    const entry: Passed = { name: nameOf(request), request: Buffer.from(request), code: undefined };
    this.passed.push(entry);
    const play = this.#next(entry.name);
    if (play?.kind === 'cut') return void client.destroy();
    if (play?.kind === 'delay') await pause(play.ms);
    if (play?.kind === 'hold') {
      this.#holds = entry.name;
      this.#held.emit('held');
      await play.until;
    }
    const answer =
      play?.kind === 'code' ? responseOf(play.code) : play?.kind === 'bytes' ? play.bytes : await ask(path, request);
    if (play?.kind === 'lose') return void client.destroy();
    entry.code = answer.length >= HEADER_BYTES ? Buffer.from(answer).readUInt32BE(6) : undefined;
    if (play?.kind === 'bytes') client.end(answer);
    else client.write(answer);
  }
}

/** One command to a TPM, on a connection of its own; gives its whole response. @param path the Unix socket of the TPM */
export function ask(path: string, request: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const tpm = connect(path);
    tpm.on('error', reject).on('close', () => reject(new Error('the TPM went away')));
    onMessages(tpm, (response) => {
      resolve(Buffer.from(response));
      tpm.destroy();
    });
    tpm.write(request);
  });
}
