import { duplexPair } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Channel } from './channel.ts';

/** What the other side gets of these messages, sent in one turn. */
async function through(...messages: unknown[]): Promise<unknown[]> {
  const [one, other] = duplexPair();
  const got: unknown[] = [];
  const all = new Promise<void>((resolve) => {
    new Channel<never, unknown>(other, (message) => {
      if (got.push(message) === messages.length) resolve();
    });
  });
  const channel = new Channel<unknown, never>(one, () => undefined);
  for (const message of messages) channel.send(message);
  await all;
  return got;
}

describe('channel to the token host', () => {
  it('carries bytes, numbers of slots and any text, in order', async () => {
    const messages = [
      { id: 1, address: { slot: { id: 2n ** 63n }, pin: undefined }, task: { task: 'open' } },
      { label: 'Ü\n"\u2028$bytes', data: Buffer.from([0, 255, 10]), list: [Buffer.alloc(0), null, true] },
      ...Array.from({ length: 20 }, (_, at) => ({ at, big: Buffer.alloc(100_000, at) })),
    ];
    expect(await through(...messages)).toEqual(messages);
  });
});
