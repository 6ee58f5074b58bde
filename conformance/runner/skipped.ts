import type { Need } from './level.ts';

/** Thrown by a requirement that makes no sense where it is asked, as that of a token on files: nothing is lacking. */
export class LeftOut extends Error {
  override readonly name = 'LeftOut';
}

/** Thrown by a requirement that cannot be judged here; the reason is reported, never swallowed. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
  /** What the machine or the driver lacks; undefined where the suite itself does not judge it. */
  readonly need: Need | undefined;

  constructor(reason: string, need?: Need) {
    super(reason);
    this.need = need;
  }
}
