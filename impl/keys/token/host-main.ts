import { Socket } from 'node:net';
import { causeChain } from '../../process/index.ts';
import { CHANNEL_FD, Channel } from './channel.ts';
import { type Cryptoki, isNotInitialized } from './cryptoki.ts';
import { listObjects } from './listing.ts';
import type {
  ForgetPins,
  HostAnswer,
  HostReady,
  HostRequest,
  HostSetup,
  TokenAddress,
  TokenOutcome,
  TokenTask,
} from './messages.ts';
import { findSlot, loadModule } from './module.ts';
import { deletePair, makePair, movePair, pairOf, sign } from './pairs.ts';
import { deleteSecret, hasSecret, hmac, makeSecret, openSealed, seal } from './secrets.ts';
import { PinRefused, type TokenSession, TokenSlot } from './token-slot.ts';

/**
 * The token host: the process that alone loads the PKCS#11 module of a vendor. It serves keyd over a channel and ends with it.
 * It may hang or crash at any time; keyd then starts another.
 */
let modulePath: string | undefined;
let module: Promise<Cryptoki> | undefined;
const slots = new Map<string, TokenSlot>();

async function slotOf(address: TokenAddress): Promise<TokenSlot> {
  if (modulePath === undefined) throw new Error('the token host was asked before it was set up');
  module ??= loadModule(modulePath);
  const cryptoki = await module.catch((error: unknown) => {
    module = undefined;
    throw error;
  });
  const handle = findSlotOnce(cryptoki, address);
  let slot = slots.get(handle.key);
  if (!slot) {
    slot = new TokenSlot(cryptoki, handle.slot);
    slots.set(handle.key, slot);
  }
  return slot;
}

const found = new Map<string, { readonly key: string; readonly slot: Buffer }>();

/** A slot keeps its number while the host lives; a lost token is searched again after {@link forget}. */
function findSlotOnce(cryptoki: Cryptoki, address: TokenAddress) {
  const name = addressName(address);
  let known = found.get(name);
  if (!known) {
    const slot = findSlot(cryptoki, address);
    known = { key: slot.toString('hex'), slot };
    found.set(name, known);
  }
  return known;
}

function addressName({ slot }: TokenAddress): string {
  return 'id' in slot ? `id ${slot.id}` : `label ${slot.label}`;
}

/** After a fault of the token its label is looked up anew, as it may have come back in another slot. */
function forget(address: TokenAddress): void {
  found.delete(addressName(address));
}

type SessionTask = Exclude<TokenTask, { task: 'open' }>;

/** Tasks that go wrong without a word where private objects cannot be seen. */
const NEEDS_LOGIN: ReadonlySet<TokenTask['task']> = new Set([
  'list',
  'make-secret',
  'delete-secret',
  'make-pair',
  'delete-pair',
  'move-pair',
]);

async function performLoggedIn(session: TokenSession, task: SessionTask): Promise<TokenOutcome> {
  if (NEEDS_LOGIN.has(task.task)) session.confirmLogin();
  const outcome = await perform(session, task);
  if (outcome.outcome === 'missing') session.confirmLogin();
  return outcome;
}

async function perform(session: TokenSession, task: SessionTask): Promise<TokenOutcome> {
  switch (task.task) {
    case 'list':
      return listObjects(session);
    case 'has-secret':
      return hasSecret(session, task.label);
    case 'make-secret':
      return makeSecret(session, task);
    case 'delete-secret':
      return deleteSecret(session, task.label);
    case 'hmac':
      return hmac(session, task.label, task.data);
    case 'seal':
      return seal(session, task);
    case 'open-sealed':
      return openSealed(session, task);
    case 'pair':
      return pairOf(session, task.label);
    case 'make-pair':
      return makePair(session, task.label, task.algorithms);
    case 'delete-pair':
      return deletePair(session, task.label);
    case 'move-pair':
      return movePair(session, task.from, task.to);
    case 'sign':
      return sign(session, task);
  }
}

async function attempt({ address, task }: HostRequest): Promise<TokenOutcome> {
  const slot = await slotOf(address);
  if (task.task === 'open') {
    await slot.probe();
    return { outcome: 'done' };
  }
  return slot.use(address.pin, (session) => performLoggedIn(session, task));
}

/** A module that was finalised behind our back is initialised again, once. */
async function attemptTwice(request: HostRequest): Promise<TokenOutcome> {
  const before = module;
  try {
    return await attempt(request);
  } catch (error) {
    if (!isNotInitialized(error)) throw error;
  }
  if (module === before) {
    module = undefined;
    slots.clear();
    found.clear();
  }
  return attempt(request);
}

async function run(request: HostRequest): Promise<TokenOutcome> {
  try {
    return await attemptTwice(request);
  } catch (error) {
    forget(request.address);
    return { outcome: 'failed', reason: causeChain(error).join(': '), pinRefused: error instanceof PinRefused };
  }
}

/** How long operations under way may take when keyd is gone: one that is cut off may leave half a key in the token. */
const LAST_OPERATIONS_MS = 10_000;

let running = 0;
let closing = false;

async function serve(request: HostRequest): Promise<void> {
  if (closing) return;
  running++;
  const result = await run(request);
  running--;
  if (!closing) channel.send({ id: request.id, result });
  else if (running === 0) process.exit(0);
}

/** keyd has ended, or wants this process to: nothing new is begun. */
function close(): void {
  closing = true;
  if (running === 0) process.exit(0);
  setTimeout(() => process.exit(0), LAST_OPERATIONS_MS);
}

const stream = new Socket({ fd: CHANNEL_FD });
const channel = new Channel<HostAnswer | HostReady, HostSetup | HostRequest | ForgetPins>(stream, (message) => {
  if ('modulePath' in message) modulePath = message.modulePath;
  else if ('forgetPins' in message) for (const slot of slots.values()) slot.forgetRefusedPin();
  else setImmediate(() => void serve(message));
});
channel.send({ ready: true });
stream.on('close', close);
// a terminal's Ctrl-C and a unit's stop are for keyd; it ends this process when its requests are done
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
