/** What a path of the hub names. Ids are decoded per segment; `/` in an id cannot occur. */
export type HubResource =
  | { kind: 'modules'; deviceId: string }
  | { kind: 'module'; deviceId: string; moduleId: string }
  | { kind: 'device-events'; deviceId: string }
  | { kind: 'module-events'; deviceId: string; moduleId: string };

/**
 * Finds what `path` (no query, as received) names, or `undefined` when the hub has nothing there.
 * Literal segments are matched without regard to case, as the service does.
 */
export function readHubPath(path: string): HubResource | undefined {
  if (!path.startsWith('/')) return undefined;
  const segments = path.slice(1).split('/');
  const [root, device, ...rest] = segments;
  if (root?.toLowerCase() !== 'devices' || !device) return undefined;
  const deviceId = decodeSegment(device);
  const literal = rest.map((segment) => segment.toLowerCase());

  if (literal[0] === 'messages' && literal[1] === 'events' && isEnd(rest, 2))
    return { kind: 'device-events', deviceId };
  if (literal[0] !== 'modules') return undefined;
  const module = rest[1];
  if (module === undefined) return { kind: 'modules', deviceId };
  if (rest.length === 2) return { kind: 'module', deviceId, moduleId: decodeSegment(module) };
  if (literal[2] === 'messages' && literal[3] === 'events' && isEnd(rest, 4)) {
    return { kind: 'module-events', deviceId, moduleId: decodeSegment(module) };
  }
  return undefined;
}

function isEnd(segments: readonly string[], length: number): boolean {
  return segments.length === length || (segments.length === length + 1 && segments[length] === '');
}

/** Percent-decodes one segment; a `%` that starts no valid escape stays as it is, as clients send ids raw. */
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
