import { HubError } from './errors.ts';

/** A device-to-cloud message as the hub took it. `properties` are the application's own, by name. */
export interface DeviceMessage {
  deviceId: string;
  moduleId?: string;
  body: Buffer;
  properties: Record<string, string>;
  /** System properties as they came in headers, by lower-case header name (`iothub-messageid`, …). */
  systemProperties: Record<string, string>;
  /** Milliseconds since 1970. */
  enqueuedAt: number;
}

/** Largest message that the hub takes, in bytes (hub-dps-protocols.md C.1). */
export const MESSAGE_LIMIT = 256 * 1024;

const BATCH_TYPE = 'application/vnd.microsoft.iothub.json';
const APPLICATION_PREFIX = 'iothub-app-';
const SYSTEM_HEADERS =
  /^iothub-(?:messageid|correlationid|userid|to|expiry|ack|contenttype|contentencoding|interface-id)$/;

/** The last messages of all devices, oldest first; older ones are dropped beyond `limit`. */
export class MessageLog {
  readonly #limit: number;
  #messages: DeviceMessage[] = [];

  constructor(limit = 1000) {
    this.#limit = limit;
  }

  add(messages: readonly DeviceMessage[]): void {
    this.#messages = [...this.#messages, ...messages].slice(-this.#limit);
  }

  /** The messages of one device or module, or of all when neither is named. */
  list({ deviceId, moduleId }: { deviceId?: string; moduleId?: string } = {}): DeviceMessage[] {
    return this.#messages.filter(
      (message) =>
        (deviceId === undefined || message.deviceId === deviceId) &&
        (moduleId === undefined || message.moduleId === moduleId),
    );
  }

  clear(): void {
    this.#messages = [];
  }
}

/** Who sends, when, and what came: header names in lower case. */
export interface Telemetry {
  deviceId: string;
  moduleId?: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  enqueuedAt: number;
}

/**
 * Reads the one message, or the batch, of a `messages/events` request (hub-dps-protocols.md C.3).
 *
 * @throws HubError messageTooLarge, argumentInvalid for a batch that is not as the service takes it.
 */
export function readTelemetry({ headers, body, ...sender }: Telemetry): DeviceMessage[] {
  if (body.length > MESSAGE_LIMIT)
    throw new HubError('messageTooLarge', `A message has at most ${MESSAGE_LIMIT} bytes`);
  if (headers['content-type']?.split(';')[0]?.trim().toLowerCase() === BATCH_TYPE) {
    return readBatch(body).map((entry) => ({ ...sender, ...entry }));
  }
  return [{ ...sender, body, ...sortProperties(headers) }];
}

type Entry = Pick<DeviceMessage, 'body' | 'properties' | 'systemProperties'>;

function readBatch(body: Buffer): Entry[] {
  let entries: unknown;
  try {
    entries = JSON.parse(body.toString('utf8'));
  } catch {
    throw new HubError('argumentInvalid', 'the batch is not JSON');
  }
  if (!Array.isArray(entries)) throw new HubError('argumentInvalid', 'the batch is not a JSON array');
  return entries.map(readEntry);
}

function readEntry(entry: unknown): Entry {
  const { body, properties } = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<string, unknown>;
  if (typeof body !== 'string') throw new HubError('argumentInvalid', 'a message of the batch has no body');
  const texts = Object.entries(typeof properties === 'object' && properties !== null ? properties : {});
  if (texts.some(([, value]) => typeof value !== 'string'))
    throw new HubError('argumentInvalid', 'a property of the batch is no text');
  return { body: Buffer.from(body, 'base64'), ...sortProperties(Object.fromEntries(texts) as Record<string, string>) };
}

function sortProperties(
  headers: Readonly<Record<string, string>>,
): Pick<DeviceMessage, 'properties' | 'systemProperties'> {
  const properties: Record<string, string> = {};
  const systemProperties: Record<string, string> = {};
  for (const [header, value] of Object.entries(headers)) {
    const name = header.toLowerCase();
    if (name.startsWith(APPLICATION_PREFIX)) properties[header.slice(APPLICATION_PREFIX.length)] = value;
    else if (SYSTEM_HEADERS.test(name)) systemProperties[name] = value;
  }
  return { properties, systemProperties };
}
