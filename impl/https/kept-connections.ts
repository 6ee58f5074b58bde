import { createHash } from 'node:crypto';
import { Agent, type ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { CredentialContext, HttpsRequest } from './request.ts';

/** Servers and credentials that connections are kept for at once; the one that was used longest ago gives way. */
const MOST_AGENTS = 8;
/** An idle connection is closed after this long, or sooner where the server says so. */
const IDLE_MS = 30_000;

/** Opens a verified connection. */
export type OpenConnection = () => Promise<Socket>;

class KeptAgent extends Agent {
  readonly #open = new WeakMap<object, OpenConnection>();

  constructor() {
    super({ keepAlive: true, maxFreeSockets: 4, timeout: IDLE_MS, scheduling: 'lifo' });
  }

  /** Options of a request that opens its connection like this where none is at hand. */
  optionsFor(open: OpenConnection): object {
    const marker = {};
    this.#open.set(marker, open);
    return { agent: this, marker };
  }

  override createConnection(options: object, created?: (error: Error | null, socket: Socket) => void): undefined {
    const { marker } = options as { marker: object };
    const open = this.#open.get(marker);
    const fail = (error: unknown) => created?.(error as Error, undefined as unknown as Socket);
    if (open) open().then((socket) => created?.(null, socket), fail);
    else fail(new Error('connection without a way to open it'));
    return undefined;
  }
}

const agents = new Map<string, KeptAgent>();

/** Connections may be shared only where server, proxy, trust and client credential are the same. */
function keyOf(request: HttpsRequest, url: URL, credential: CredentialContext | undefined): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([url.host, request.proxy ?? null, credential ?? null]));
  for (const anchor of request.trust.anchors) hash.update('\0').update(anchor);
  return hash.digest('hex');
}

/** Request options that use a kept connection to the same server with the same credential, or open one and keep it afterwards. */
export function keptConnection(
  request: HttpsRequest,
  url: URL,
  credential: CredentialContext | undefined,
  open: OpenConnection,
): object {
  const key = keyOf(request, url, credential);
  const agent = agents.get(key) ?? new KeptAgent();
  agents.delete(key);
  agents.set(key, agent);
  for (const [oldKey, old] of agents) {
    if (agents.size <= MOST_AGENTS) break;
    agents.delete(oldKey);
    old.destroy();
  }
  return agent.optionsFor(open);
}

/** Whether a failed request used a connection that the server may have closed before it saw the request. */
export function wasReused(asking: ClientRequest): boolean {
  return asking.reusedSocket;
}
