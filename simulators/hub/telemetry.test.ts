import { expect, test } from 'vitest';
import { MESSAGE_LIMIT, MessageLog, readTelemetry } from './telemetry.ts';

const sender = { deviceId: 'Dev-01', moduleId: 'm1', enqueuedAt: 5 };

test('one message keeps its bytes, and its properties by kind', () => {
  const headers = { 'content-type': 'text/plain', 'iothub-app-level': 'high', 'iothub-messageid': '7', host: 'h' };
  const body = Buffer.from([0, 255]);
  expect(readTelemetry({ ...sender, headers, body })).toEqual([
    { ...sender, body, properties: { level: 'high' }, systemProperties: { 'iothub-messageid': '7' } },
  ]);
});

test('a batch is taken apart', () => {
  const entries = [{ body: 'YQ==', properties: { 'iothub-app-N': '1' } }, { body: 'Yg==' }];
  const headers = { 'content-type': 'application/vnd.microsoft.iothub.json; charset=utf-8' };
  const messages = readTelemetry({ ...sender, headers, body: Buffer.from(JSON.stringify(entries)) });
  expect(messages.map((message) => [message.body.toString(), message.properties])).toEqual([
    ['a', { N: '1' }],
    ['b', {}],
  ]);
});

test.each(['{', '{}', '[1]', '[{}]', '[{"body":"YQ==","properties":{"x":1}}]'])('batch %s is refused', (text) => {
  const headers = { 'content-type': 'application/vnd.microsoft.iothub.json' };
  const read = () => readTelemetry({ ...sender, headers, body: Buffer.from(text) });
  expect(read).toThrow(expect.objectContaining({ code: 'argumentInvalid' }));
});

test('a message over the limit is refused', () => {
  const read = () => readTelemetry({ ...sender, headers: {}, body: Buffer.alloc(MESSAGE_LIMIT + 1) });
  expect(read).toThrow(expect.objectContaining({ code: 'messageTooLarge' }));
});

test('the log keeps the last messages, and finds those of one sender', () => {
  const log = new MessageLog(2);
  const message = (deviceId: string) => ({
    deviceId,
    body: Buffer.alloc(0),
    properties: {},
    systemProperties: {},
    enqueuedAt: 0,
  });
  log.add([message('a'), message('b')]);
  log.add([message('c')]);
  expect(log.list().map((kept) => kept.deviceId)).toEqual(['b', 'c']);
  expect(log.list({ deviceId: 'c' })).toHaveLength(1);
  expect(log.list({ deviceId: 'c', moduleId: 'm' })).toEqual([]);
  log.clear();
  expect(log.list()).toEqual([]);
});
