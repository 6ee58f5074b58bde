/** Levels of the daemons' log, most severe first (spec/transport.md 10). */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Writes one record a line; messages must never carry key bytes, PINs, passwords, tokens or handles. */
export interface Logger {
  error(message: string): void;
  warn(message: string): void;
  /** @param checked the message is known to be one line without control characters. */
  info(message: string, checked?: 'checked'): void;
  debug(message: string): void;
  trace(message: string): void;
  /** The same log under another target name (`http`, `est`, …), which `AZIOT_LOG` can filter by. */
  for(target: string): Logger;
  enabled(level: LogLevel): boolean;
}

interface LogFilter {
  readonly defaultRank: number;
  readonly targets: readonly { readonly target: string; readonly rank: number }[];
  readonly pattern: RegExp | undefined;
}

const RANK: Readonly<Record<LogLevel | 'off', number>> = { off: 0, error: 1, warn: 2, info: 3, debug: 4, trace: 5 };
const LABEL: Readonly<Record<LogLevel, string>> = {
  error: 'ERR!',
  warn: 'WARN',
  info: 'INFO',
  debug: 'DBUG',
  trace: 'TRCE',
};
const SYSLOG: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7, trace: 7 };

function rankOf(name: string): number | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(RANK, key) ? RANK[key as LogLevel] : undefined;
}

/**
 * Reads the syntax of `AZIOT_LOG`: `level` or a comma list of `target=level`, with an optional `/regex` at the end.
 * Directives that cannot be read are returned as complaints and otherwise ignored.
 */
function parseLogFilter(text: string | undefined): { filter: LogFilter; complaints: string[] } {
  const complaints: string[] = [];
  const [directives = '', ...patternParts] = (text ?? '').split('/');
  let pattern: RegExp | undefined;
  if (patternParts.length > 0) {
    try {
      pattern = new RegExp(patternParts.join('/'), 'u');
    } catch {
      complaints.push(`AZIOT_LOG: invalid regular expression "${patternParts.join('/')}", ignored`);
    }
  }
  let defaultRank: number | undefined;
  const targets: { target: string; rank: number }[] = [];
  for (const directive of directives.split(',').map((part) => part.trim())) {
    if (directive === '') continue;
    const [target = '', level] = directive.split('=');
    const rank = rankOf(level ?? target);
    if (level === undefined && rank === undefined) targets.push({ target, rank: RANK.trace });
    else if (rank === undefined) complaints.push(`AZIOT_LOG: invalid directive "${directive}", ignored`);
    else if (level === undefined) defaultRank = rank;
    else targets.push({ target, rank });
  }
  targets.sort((a, b) => b.target.length - a.target.length);
  return { filter: { defaultRank: defaultRank ?? RANK.info, targets, pattern }, complaints };
}

function rankFor(filter: LogFilter, target: string): number {
  const own = filter.targets.find((entry) => target === entry.target || target.startsWith(`${entry.target}:`));
  return own?.rank ?? filter.defaultRank;
}

const CONTROL = /\p{Cc}/u;

/** A message as one record: what others wrote into it (an error text of a service, a path) cannot begin a record of its own. */
function asOneRecord(message: string): string {
  if (!CONTROL.test(message)) return message;
  return message
    .trimEnd()
    .replaceAll(/\r?\n/g, '\n  ')
    .replaceAll(/[^\P{Cc}\n\t]/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Makes the log of a daemon. `write` gets one whole line with its newline.
 * Form: `<P>TIMESTAMP [LEVL] - MESSAGE`, with `[TARGET]` before the message for debug and trace (spec/transport.md 10). Further lines of a message are
 * indented, other control characters written as `\\u001b`.
 */
export function createLogger(options: {
  readonly target: string;
  readonly filter: string | undefined;
  readonly write: (line: string, level: LogLevel) => void;
  readonly now: () => number;
}): Logger {
  const { filter, complaints } = parseLogFilter(options.filter);
  let second = Number.NaN;
  let timeText = '';
  /** Whole seconds; the text is made once a second. */
  const timeOf = (now: number): string => {
    const current = Math.floor(now / 1000);
    if (current !== second) {
      second = current;
      timeText = `${new Date(now).toISOString().slice(0, 19)}Z`;
    }
    return timeText;
  };
  const make = (target: string): Logger => {
    const limit = rankFor(filter, target);
    const put = (level: LogLevel, message: string, checked?: 'checked') => {
      if (RANK[level] > limit || (filter.pattern && !filter.pattern.test(message))) return;
      const time = timeOf(options.now());
      const where = RANK[level] >= RANK.debug ? `[${target}] ` : '';
      options.write(
        `<${SYSLOG[level]}>${time} [${LABEL[level]}] - ${where}${checked ? message : asOneRecord(message)}\n`,
        level,
      );
    };
    return {
      error: (message) => put('error', message),
      warn: (message) => put('warn', message),
      info: (message, checked) => put('info', message, checked),
      debug: (message) => put('debug', message),
      trace: (message) => put('trace', message),
      for: (name) => make(`${options.target}:${name}`),
      enabled: (level) => RANK[level] <= limit,
    };
  };
  const logger = make(options.target);
  for (const complaint of complaints) logger.warn(complaint);
  return logger;
}
