import Type from 'typebox';
import type { ServiceName } from './paths.ts';

/** Where the daemons' sockets are without an `[endpoints]` table. */
const DEFAULT_FOLDER = '/run/aziot';

const SERVICES: readonly ServiceName[] = ['keyd', 'certd', 'identityd', 'tpmd'];

/** Absolute socket path of each daemon. */
export type Endpoints = Readonly<Record<ServiceName, string>>;

/** Schema of `[endpoints]`; any value is let through here, see {@link endpointsFrom}. */
export const ENDPOINTS = Type.Optional(Type.Unknown());

function unixPath(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const match = /^unix:\/\/(?:localhost)?(\/[^?#]+)$/.exec(value);
  if (!match?.[1]) return undefined;
  try {
    return decodeURIComponent(match[1]);
  } catch {
    return undefined;
  }
}

/**
 * Socket paths from an `[endpoints]` table: only an absolute `unix:///path` counts, an absent key takes the default; any other value is
 * warned about by name and ignored, so that what the reference starts with still starts (spec/transport.md 2).
 */
export function endpointsFrom(table: unknown, warn: (message: string) => void): Endpoints {
  const given = typeof table === 'object' && table !== null ? (table as Record<string, unknown>) : {};
  if (table !== undefined && (typeof table !== 'object' || table === null)) {
    warn('key "endpoints" is not a table and has no effect');
  }
  const entries = SERVICES.map((service) => {
    const fallback = `${DEFAULT_FOLDER}/${service}.sock`;
    const value = given[`aziot_${service}`];
    if (value === undefined) return [service, fallback];
    const path = unixPath(value);
    if (path === undefined) {
      warn(`key "endpoints.aziot_${service}" is not an absolute unix:///path and has no effect; using ${fallback}`);
    }
    return [service, path ?? fallback];
  });
  return Object.fromEntries(entries) as Endpoints;
}
