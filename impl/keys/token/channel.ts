import type { Duplex } from 'node:stream';

/** File descriptor of the channel in the token host. */
export const CHANNEL_FD = 3;

/**
 * Messages that wait for others: more would leave the other side idle, fewer would cost a write each. Measured with ECDSA in SoftHSM, signatures a
 * second at 4, 10 and 30 callers: 2 gives 12.9, 14.6 and 16.3 k, 5 gives 10.9, 17.9 and 18.8 k, 8 gives 15.9 k at 10 callers.
 */
const MOST_HELD = 5;

/** Values that JSON has no form for. */
type Encoded = { readonly $bytes: string } | { readonly $bigint: string };

function encode(value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: String(value) } satisfies Encoded;
  if (Buffer.isBuffer(value)) return { $bytes: value.toString('base64') } satisfies Encoded;
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value !== 'object' || value === null) return value;
  const encoded: Record<string, unknown> = {};
  for (const name in value) encoded[name] = encode((value as Record<string, unknown>)[name]);
  return encoded;
}

/** Bytes with an address even where there are none: modules refuse a null pointer. */
function bytesOf(text: string): Buffer {
  return text === '' ? Buffer.alloc(1).subarray(0, 0) : Buffer.from(text, 'base64');
}

function decode(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(decode);
  const members = value as Record<string, unknown>;
  if (typeof members['$bytes'] === 'string') return bytesOf(members['$bytes']);
  if (typeof members['$bigint'] === 'string') return BigInt(members['$bigint']);
  for (const name in members) members[name] = decode(members[name]);
  return members;
}

/**
 * Messages between keyd and its token host over a socket pair, one line of JSON each; what is sent within one turn goes in one write. Node's
 * own channel to a child takes several times as long a message.
 */
export class Channel<TSent, TReceived> {
  readonly #stream: Duplex;
  #lines: string[] = [];
  #pending: NodeJS.Immediate | undefined;
  #rest = '';

  /** @param onMessage gets each message of the other side; only keyd and its own child are on this channel, so shapes are not checked. */
  constructor(stream: Duplex, onMessage: (message: TReceived) => void) {
    this.#stream = stream;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) onMessage(decode(JSON.parse(line)) as TReceived);
    });
    // the end of the other side is heard of elsewhere
    stream.on('error', () => undefined);
  }

  send(message: TSent): void {
    const held = this.#lines.push(JSON.stringify(encode(message)));
    if (held === 1) this.#pending = setImmediate(() => this.#flush());
    else if (held === MOST_HELD) this.#flush();
  }

  #flush(): void {
    clearImmediate(this.#pending);
    const text = this.#lines.join('\n');
    this.#lines = [];
    this.#stream.write(`${text}\n`);
  }
}
