import type { IdentityIds } from '../est/index.ts';
import type { ClientCredential } from '../https/index.ts';
import type { Clock, Counters, Logger } from '../process/index.ts';
import {
  type Holding,
  isDue,
  type Look,
  type Random,
  type Renewable,
  RenewalEngine,
  type RenewalState,
  toSeconds,
} from '../renewal/index.ts';
import { type Certificate, fingerprint, isExpired } from '../x509/index.ts';
import {
  bootstrapIdentity,
  type IdentityContext,
  IdentityError,
  type IdentitySource,
  isRefusal,
  renewIdentity,
} from './est-identity.ts';
import { credentialOf, type FoundIdentity, findIdentity, type Identity, validityOf } from './identity-find.ts';
import { NamedLocks } from './locks.ts';

/** Everything of {@link IdentityContext} that a configuration or the daemon gives. */
export type KeeperContext = Omit<IdentityContext, 'commit' | 'fixedKeys'>;

/** The identity that a request wants to present. */
export interface IdentityRequest extends IdentitySource {
  /** DER of the subject of a first identity; called only when one is made. */
  readonly firstSubject: () => Uint8Array;
  readonly signal: AbortSignal;
}

/** A credential, and which certificate it presents. */
export interface ObtainedCredential {
  readonly credential: ClientCredential;
  readonly fingerprint: string;
}

/** A renewal on the way to a request must leave that request its time. */
const RENEWAL_ON_USE_LIMIT_MS = 10_000;
/** An identity that is refused again soon after it was made anew is not made anew for each request. */
const BOOTSTRAP_PAUSE_MS = 600_000;

interface KeeperOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly counters: Counters;
}

/** The name of an identity in log and state: its certificate id, and its key's where that is another. */
export const identityName = ({ cert, pk }: IdentityIds): string => (cert === pk ? cert : `${cert} with key ${pk}`);

/**
 * Hands out EST identities, and keeps them valid (spec/est.md 3, spec/renewal.md 3 and 4): a valid one at once, one that is due or expired
 * renewed first, one that is missing, unusable or refused by the server made anew with the bootstrap credential. Changes of one identity come
 * one after another; a slow one holds up nobody who can use what is there.
 */
export class IdentityKeeper {
  readonly #options: KeeperOptions;
  readonly #engine: RenewalEngine;
  /** One change of an identity at a time. */
  readonly #changes = new NamedLocks();
  /** Certificate and key are not looked at between their two writes. */
  readonly #commits = new NamedLocks();
  readonly #fixedKeys = new Set<string>();
  readonly #bootstrapped = new Map<string, number>();
  readonly #named = new Map<string, IdentityIds>();

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#engine = new RenewalEngine(options);
  }

  /** Begins to renew by timer. */
  start(): void {
    this.#engine.start();
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }

  /** Takes these identities under management in place of the present ones. */
  manage(sources: readonly IdentitySource[], context: KeeperContext): void {
    this.#engine.replaceAll(sources.map((source) => this.#renewable(source, context)));
  }

  /** What is known about each managed identity. */
  states(): (RenewalState & IdentityIds)[] {
    return this.#engine.states().flatMap((state) => {
      const identity = this.#named.get(state.id);
      return identity ? [{ ...state, ...identity }] : [];
    });
  }

  /**
   * The credential for a request. A due identity that cannot be renewed is used as it is.
   *
   * @throws IdentityError when there is no usable identity and no bootstrap credential; whatever the enrolment throws.
   */
  async obtain(request: IdentityRequest, context: KeeperContext): Promise<ObtainedCredential> {
    const found = await this.#find(request.identity, context);
    if (found.kind !== 'held' || isExpired(found.identity.chain[0], context.clock.now()))
      return this.#obtainAnew(request, context);
    const [leaf] = found.identity.chain;
    if (!isDue(validityOf(leaf), context.policy.threshold, toSeconds(context.clock.now()))) {
      this.#register(request, leaf, context);
      return obtained(found.identity);
    }
    await this.#renewOnUse(request, context);
    const now = await this.#find(request.identity, context);
    return obtained(now.kind === 'held' ? now.identity : found.identity);
  }

  /**
   * Another credential after the server refused one: the identity that took its place meanwhile, or one made anew.
   *
   * @param used fingerprint of the certificate that was refused.
   * @throws the refusal, where nothing else can be tried.
   */
  async obtainAfter(
    refusal: unknown,
    used: string,
    request: IdentityRequest,
    context: KeeperContext,
  ): Promise<ObtainedCredential> {
    if (!isRefusal(refusal)) throw refusal;
    const found = await this.#find(request.identity, context);
    if (found.kind === 'held' && fingerprint(found.identity.chain[0]) !== used) return obtained(found.identity);
    const name = identityName(request.identity);
    const last = this.#bootstrapped.get(name);
    const now = context.clock.now();
    if (!request.bootstrap || (last !== undefined && Math.abs(now - last) < BOOTSTRAP_PAUSE_MS)) throw refusal;
    context.log.warn(`EST identity "${name}" was refused, making it anew: ${(refusal as Error).message}`);
    return this.#change(request.identity, async () => {
      const again = await this.#find(request.identity, context);
      if (again.kind === 'held' && fingerprint(again.identity.chain[0]) !== used) return obtained(again.identity);
      return this.#bootstrap(request, context);
    });
  }

  /** Missing, unusable or expired: nothing to go on with, so the request waits for it and learns why it failed. */
  #obtainAnew(request: IdentityRequest, context: KeeperContext): Promise<ObtainedCredential> {
    return this.#change(request.identity, async () => {
      request.signal.throwIfAborted();
      const found = await this.#find(request.identity, context);
      if (found.kind === 'held') {
        const expired = isExpired(found.identity.chain[0], context.clock.now());
        if (!expired) return obtained(found.identity);
        const renewed = await renewIdentity(request, found.identity, request.signal, this.#whole(request, context));
        this.#register(request, renewed.chain[0], context);
        return obtained(renewed);
      }
      if (found.kind === 'unusable' && !request.bootstrap) throw new IdentityError(found.reason);
      if (found.kind === 'unusable') context.log.warn(`${found.reason}; making it anew`);
      return this.#bootstrap(request, context);
    });
  }

  async #bootstrap(request: IdentityRequest, context: KeeperContext): Promise<ObtainedCredential> {
    const name = identityName(request.identity);
    const subject = request.firstSubject();
    const made = await bootstrapIdentity(request, subject, request.signal, this.#whole(request, context));
    this.#bootstrapped.set(name, context.clock.now());
    this.#options.counters.add('est_bootstraps', { id: name });
    context.log.info(`made EST identity "${name}" with the bootstrap credential`);
    this.#register(request, made.chain[0], context);
    return obtained(made);
  }

  async #renewOnUse(request: IdentityRequest, context: KeeperContext): Promise<void> {
    const { signal } = request;
    const id = identityName(request.identity);
    if (!this.#engine.state(id)) this.#engine.notice(this.#renewable(request, context));
    const over = new AbortController();
    const limit = context.clock.sleep(RENEWAL_ON_USE_LIMIT_MS, AbortSignal.any([signal, over.signal]));
    await Promise.race([this.#engine.renewNow(id), limit]).catch(() => undefined);
    over.abort();
    limit.catch(() => undefined);
    signal.throwIfAborted();
  }

  /** Has the timer look at an identity that is not planned for as it is now. */
  #register(source: IdentitySource, leaf: Certificate, context: KeeperContext): void {
    const known = this.#engine.state(identityName(source.identity));
    if (known?.nextAttempt !== undefined && known.holding?.fingerprint === fingerprint(leaf)) return;
    this.#engine.notice(this.#renewable(source, context));
  }

  #renewable(source: IdentitySource, context: KeeperContext): Renewable {
    const { identity } = source;
    this.#named.set(identityName(identity), identity);
    return {
      id: identityName(identity),
      policy: context.policy,
      look: async () => lookOf(await this.#find(identity, context)),
      renew: (signal) =>
        this.#change(identity, async () => {
          const found = await this.#find(identity, context);
          if (found.kind !== 'held') throw new IdentityError(`EST identity "${identity.cert}" is gone`);
          const renewed = await renewIdentity(source, found.identity, signal, this.#whole(source, context));
          context.log.info(`renewed EST identity "${identity.cert}"`);
          return holdingOf(renewed);
        }),
    };
  }

  #whole({ identity }: IdentitySource, context: KeeperContext): IdentityContext {
    return {
      ...context,
      fixedKeys: this.#fixedKeys,
      commit: (steps) => this.#commits.run(lockOf(identity), steps),
    };
  }

  #find(identity: IdentityIds, context: KeeperContext): Promise<FoundIdentity> {
    return this.#commits.run(lockOf(identity), () => findIdentity(identity, context));
  }

  #change<T>(identity: IdentityIds, task: () => Promise<T>): Promise<T> {
    return this.#changes.run(lockOf(identity), task);
  }
}

const lockOf = ({ cert, pk }: IdentityIds): string => `${cert}\0${pk}`;

const holdingOf = ({ chain }: Identity): Holding => ({
  validity: validityOf(chain[0]),
  fingerprint: fingerprint(chain[0]),
});

const obtained = (identity: Identity): ObtainedCredential => ({
  credential: credentialOf(identity),
  fingerprint: fingerprint(identity.chain[0]),
});

function lookOf(found: FoundIdentity): Look {
  return found.kind === 'held' ? { kind: 'held', holding: holdingOf(found.identity) } : found;
}
