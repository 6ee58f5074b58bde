import type { Clock } from '../process/index.ts';
import { type Command, marshalCommand, type Response, readResponse, responseCode } from './command.ts';
import { RESPONSES } from './constants.ts';
import type { OpenTcti, Tcti } from './tcti.ts';
import { LinkError } from './tpm-error.ts';

/** What a command is sent again for; any other code is final (spec/tpm-service.md 4). */
const TRY_AGAIN: readonly number[] = [RESPONSES.retry, RESPONSES.yielded, RESPONSES.testing];
/** Pauses before the second to the last attempt: five in all, as the TSS makes them. */
const PAUSES_MS = [0, 5, 20, 80];
/** Making an RSA key takes real TPMs up to a minute and more. */
const DEADLINE_MS = 5 * 60_000;
/** TPM2_Startup(TPM_SU_CLEAR). */
const STARTUP_CLEAR = Buffer.from('80010000000c000001440000', 'hex');

/** What a link is made of. */
export interface LinkTools {
  readonly tcti: string;
  readonly open: OpenTcti;
  readonly clock: Clock;
  /** How long one command may take; for tests. */
  readonly deadlineMs?: number;
}

/**
 * The connection to the TPM: sends one command after the other and outlives what happens to the TPM. A way that failed is closed and
 * opened anew for the next command; the caller sees to it that only one command runs at a time.
 */
export class TpmLink {
  readonly #tools: LinkTools;
  #tcti: Tcti | undefined;
  /** The exchange that ran out of time and still holds its thread. */
  #stuck: { readonly name: string } | undefined;

  constructor(tools: LinkTools) {
    this.#tools = tools;
  }

  /** Opens the way if it is not open. Rejects with LinkError. */
  async open(): Promise<void> {
    await this.#way();
  }

  /**
   * Sends a command and gives its response. Rejects with TpmError for a code of the TPM, LinkError when the way failed.
   */
  async run(command: Command): Promise<Response> {
    const bytes = marshalCommand(command);
    let response = await this.#exchangeAgain(command.name, bytes);
    if (responseCode(response) === RESPONSES.initialize) {
      // power came back without the start that kernel or emulator give; nobody can have state in the TPM yet
      await this.#exchangeAgain('Startup', STARTUP_CLEAR);
      response = await this.#exchangeAgain(command.name, bytes);
    }
    for (const pause of PAUSES_MS) {
      if (!TRY_AGAIN.includes(responseCode(response))) break;
      if (pause > 0) await this.#tools.clock.sleep(pause);
      response = await this.#exchangeAgain(command.name, bytes);
    }
    try {
      return readResponse(command, response);
    } catch (error) {
      if (error instanceof LinkError) await this.#drop();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#drop();
  }

  /** One exchange; where a way that was open before turns out to be dead before the command left, it is opened anew once. */
  async #exchangeAgain(name: string, bytes: Buffer): Promise<Buffer> {
    const wasOpen = this.#tcti !== undefined;
    try {
      return await this.#exchange(name, bytes);
    } catch (error) {
      if (!wasOpen || !(error instanceof LinkError) || error.sent !== 'no') throw error;
      return this.#exchange(name, bytes);
    }
  }

  async #exchange(name: string, bytes: Buffer): Promise<Buffer> {
    const tcti = await this.#way();
    const work = this.#send(tcti, bytes);
    const { promise: late, resolve: giveUp } = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => giveUp('late'), this.#tools.deadlineMs ?? DEADLINE_MS);
    try {
      const response = await Promise.race([work, late]);
      if (response !== 'late') return response;
    } finally {
      clearTimeout(timer);
    }
    this.#leaveStuck(name, tcti, work);
    throw new LinkError(`the TPM did not answer ${name} in time`, 'maybe');
  }

  async #send(tcti: Tcti, bytes: Buffer): Promise<Buffer> {
    try {
      const response = await tcti.exchange(bytes);
      responseCode(response);
      return response;
    } catch (error) {
      if (this.#tcti === tcti) await this.#drop();
      throw error;
    }
  }

  /** A native call cannot be ended: it keeps its thread, and its way stays closed to others until it returns. */
  #leaveStuck(name: string, tcti: Tcti, work: Promise<Buffer>): void {
    this.#tcti = undefined;
    this.#stuck = { name };
    work
      .catch(() => undefined)
      .then(() => tcti.close())
      .catch(() => undefined)
      .finally(() => {
        this.#stuck = undefined;
      });
  }

  async #way(): Promise<Tcti> {
    if (this.#stuck) throw new LinkError(`the TPM has still not answered ${this.#stuck.name}`, 'no');
    this.#tcti ??= await this.#tools.open(this.#tools.tcti);
    return this.#tcti;
  }

  async #drop(): Promise<void> {
    const tcti = this.#tcti;
    this.#tcti = undefined;
    await tcti?.close().catch(() => undefined);
  }
}
