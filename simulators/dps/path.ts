/** What a path of the device API names; ids are decoded per segment (spec cloud.md 3, 9.3). */
export type DpsResource =
  | { kind: 'register'; scopeId: string; registrationId: string }
  | { kind: 'operation'; scopeId: string; registrationId: string; operationId: string };

/** Finds what `path` (no query, as received) names, or `undefined` when the service has nothing there. */
export function readDpsPath(path: string): DpsResource | undefined {
  const segments = path.split('/').map(decodeSegment);
  const [root, scopeId, registrations, registrationId, action, operationId] = segments;
  if (root !== '' || !scopeId || registrations?.toLowerCase() !== 'registrations' || !registrationId) return undefined;
  if (action?.toLowerCase() === 'register' && segments.length === 5)
    return { kind: 'register', scopeId, registrationId };
  if (action?.toLowerCase() === 'operations' && operationId && segments.length === 6) {
    return { kind: 'operation', scopeId, registrationId, operationId };
  }
  return undefined;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
