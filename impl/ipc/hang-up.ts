/** The caller's presence; most handlers never ask for the signal, so it is made when they do. */
export class HangUp {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  get happened(): boolean {
    return this.#reason !== undefined;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  tell(): void {
    this.#reason = new Error('the caller hung up');
    this.#controller?.abort(this.#reason);
  }
}
