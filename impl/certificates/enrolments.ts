import type { Clock } from '../process/index.ts';

/** Raised for a caller whose enrolment is not over within its time. */
class EnrolmentPending extends Error {
  override readonly name = 'EnrolmentPending';
}

/** One enrolment under way. */
interface Running {
  /** Which request it is for. */
  readonly request: string;
  readonly controller: AbortController;
  readonly result: Promise<string>;
  callers: number;
  /** The server has put it off: it goes on without callers. */
  postponed: boolean;
}

/** What runs an enrolment to its end, storing included. */
export type StartEnrolment = (signal: AbortSignal, onPostponed: () => void) => Promise<string>;

/** Just below the 30 s after which the services' own clients give up. */
const CALLER_LIMIT_MS = 29_000;

/**
 * Enrolments by certificate id. Callers with the same request share one; one that the server has put off goes on when its callers are
 * gone, so that a repeat finds it (spec/est.md 4.1); any other ends with its last caller. Ids never wait for each other.
 */
export class Enrolments {
  readonly #running = new Map<string, Running>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Joins the enrolment of this id and request, or starts it. A different request for the id first waits for the earlier one, or ends it
   * when the server has put it off.
   *
   * @param request tells equal requests, such as a digest of the CSR.
   * @throws EnrolmentPending after 29 s; the caller's abort reason; whatever the enrolment throws.
   */
  async join(certId: string, request: string, signal: AbortSignal, start: StartEnrolment): Promise<string> {
    const limit = new AbortController();
    const late = this.#clock.sleep(CALLER_LIMIT_MS, limit.signal).then(() => {
      throw new EnrolmentPending(`enrolment of "${certId}" is not over after ${CALLER_LIMIT_MS / 1000} s`);
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([late, hangUp(signal), this.#wait(certId, request, start, limit.signal)]);
    } finally {
      limit.abort(new Error('answered'));
    }
  }

  /** Ends every enrolment. */
  close(): void {
    for (const running of this.#running.values()) running.controller.abort(new Error('certd is stopping'));
  }

  async #wait(certId: string, request: string, start: StartEnrolment, left: AbortSignal): Promise<string> {
    for (let other = this.#running.get(certId); other && other.request !== request; other = this.#running.get(certId)) {
      if (other.postponed) other.controller.abort(new Error('another request took its place'));
      await other.result.catch(() => undefined);
      left.throwIfAborted();
    }
    const running = this.#running.get(certId) ?? this.#start(certId, request, start);
    running.callers++;
    left.addEventListener('abort', () => {
      running.callers--;
      if (running.callers === 0 && !running.postponed) running.controller.abort(new Error('its callers are gone'));
    });
    return running.result;
  }

  #start(certId: string, request: string, start: StartEnrolment): Running {
    const controller = new AbortController();
    const result = Promise.resolve().then(() =>
      start(controller.signal, () => {
        running.postponed = true;
      }),
    );
    const running: Running = { request, controller, result, callers: 0, postponed: false };
    this.#running.set(certId, running);
    const forget = () => this.#running.delete(certId);
    result.then(forget, forget);
    return running;
  }
}

function hangUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
