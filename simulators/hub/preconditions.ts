/** What `If-Match` asks for: no header, any version, or one version (an unquoted etag). */
export type IfMatch = { kind: 'absent' } | { kind: 'any' } | { kind: 'etag'; etag: string } | { kind: 'malformed' };

/**
 * Reads an `If-Match` header. Clients send the star bare or in quotes, and etags bare or in quotes
 * (hub-dps-protocols.md trap 6); a list of etags or a weak one is malformed, as no client of the hub sends it.
 */
export function readIfMatch(header: string | undefined): IfMatch {
  if (header === undefined) return { kind: 'absent' };
  const value = header.trim();
  const inner = value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  if (inner === '*') return { kind: 'any' };
  if (inner === '' || inner.startsWith('W/') || /[",\s]/.test(inner)) return { kind: 'malformed' };
  return { kind: 'etag', etag: inner };
}

/** Whether an identity whose etag is `current` may be changed under `ifMatch`. An absent header matches nothing. */
export function matchesEtag(ifMatch: IfMatch, current: string): boolean {
  return ifMatch.kind === 'any' || (ifMatch.kind === 'etag' && ifMatch.etag === current);
}
