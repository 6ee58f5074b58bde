import { describe, expect, it } from 'vitest';
import { createLogger } from './index.ts';

function logged(filter: string | undefined, use: (log: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = [];
  use(
    createLogger({
      target: 'aziot_keyd',
      filter,
      write: (line) => lines.push(line),
      now: () => Date.UTC(2026, 0, 31, 8, 15, 0, 123),
    }),
  );
  return lines;
}

describe('log lines', () => {
  it('TR-054: an info line has priority, whole seconds and level', () => {
    expect(logged(undefined, (log) => log.info('hello'))).toEqual(['<6>2026-01-31T08:15:00Z [INFO] - hello\n']);
  });

  it('TR-053: debug lines carry their target, and appear only when asked for', () => {
    expect(logged(undefined, (log) => log.for('http').debug('x'))).toEqual([]);
    expect(logged('debug', (log) => log.for('http').debug('x'))).toEqual([
      '<7>2026-01-31T08:15:00Z [DBUG] - [aziot_keyd:http] x\n',
    ]);
  });

  it.each([
    ['off', 0],
    ['error', 1],
    ['WARN', 2],
    ['aziot_keyd=trace', 5],
    ['other=trace', 3],
    ['warn,aziot_keyd=debug', 4],
    ['trace/^only', 1],
  ])('the filter %s lets %i of five levels through', (filter, count) => {
    const lines = logged(filter, (log) => {
      log.error('only this');
      log.warn('b');
      log.info('c');
      log.debug('d');
      log.trace('e');
    });
    expect(lines).toHaveLength(count);
  });

  it('an invalid directive is warned about and ignored', () => {
    expect(logged('aziot_keyd=loud', (log) => log.info('x'))).toEqual([
      expect.stringContaining('<4>2026-01-31T08:15:00Z [WARN] - AZIOT_LOG: invalid directive "aziot_keyd=loud"'),
      expect.stringContaining('[INFO] - x'),
    ]);
  });

  it('a message cannot begin a record of its own, nor steer a terminal', () => {
    expect(logged(undefined, (log) => log.warn('bad\r\n<3>2026-01-01T00:00:00Z [ERR!] - forged\u001b[31m\n'))).toEqual([
      '<4>2026-01-31T08:15:00Z [WARN] - bad\n  <3>2026-01-01T00:00:00Z [ERR!] - forged\\u001b[31m\n',
    ]);
  });
});
