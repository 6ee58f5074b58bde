/** An answer that is not a success; the text goes to the caller, the reason to the journal. */
export class EstRefusal extends Error {
  override readonly name = 'EstRefusal';
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly reason: string;

  constructor(
    status: number,
    message: string,
    more: { readonly headers?: Readonly<Record<string, string | readonly string[]>>; readonly reason?: string } = {},
  ) {
    super(message);
    this.status = status;
    this.headers = more.headers ?? {};
    this.reason = more.reason ?? message;
  }
}
