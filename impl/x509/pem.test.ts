import { expect, test } from 'vitest';
import { formatChain, parseChain } from './index.ts';
import { issue } from './testing/issuing.ts';

test('a chain is read in file order with text and CRLF around it, and written in 64 columns', async () => {
  const [one, two] = [await issue({}), await issue({})];
  const text = `words\r\n${formatChain([one]).replaceAll('\n', '\r\n')}more\n${formatChain([two])}`;
  const chain = parseChain(text);
  expect(chain.map((entry) => entry.x509.serialNumber)).toEqual([one.x509.serialNumber, two.x509.serialNumber]);
  expect(
    Math.max(
      ...formatChain(chain)
        .split('\n')
        .map((line) => line.length),
    ),
  ).toBe(64);
});

test('members joined without a newline, and damaged ones, are errors', async () => {
  const pem = formatChain([await issue({})]);
  expect(() => parseChain(pem.trimEnd() + pem)).toThrow('end line');
  expect(() => parseChain(pem.replace('MII', 'AII'))).toThrow();
  expect(parseChain('no block here')).toEqual([]);
});
