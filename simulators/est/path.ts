/** The operations of RFC 7030 that have a path of their own. */
const OPERATIONS = ['cacerts', 'simpleenroll', 'simplereenroll', 'csrattrs', 'serverkeygen', 'fullcmc'] as const;

/** One of the operations. */
export type Operation = (typeof OPERATIONS)[number];

/** What a request is for. */
export interface EstTarget {
  readonly operation: Operation;
  /** Path segment between the well-known prefix and the operation, where there is one. */
  readonly label: string | undefined;
}

/**
 * Reads `/.well-known/est/[label/]operation` (RFC 7030 3.2.2). Any other prefix is served too, as the reference client only appends the
 * operation to its configured URL (spec/est.md 4). Undefined where the last segment is no operation, where the label is one
 * (RFC 7030 3.2.2), and where a segment is empty, so that a client which doubles a slash is found out.
 */
export function readEstPath(path: string): EstTarget | undefined {
  const [origin, ...segments] = path.split('/');
  const operation = OPERATIONS.find((name) => name === segments.at(-1));
  if (origin !== '' || !operation || segments.includes('')) return undefined;
  if (OPERATIONS.some((name) => name === segments.at(-2))) return undefined;
  const known = segments[0] === '.well-known' && segments[1] === 'est';
  const label = known && segments.length === 4 ? segments[2] : undefined;
  return { operation, label };
}

/** Whether a path segment can be a label: RFC 3986 unreserved characters, and no operation (RFC 7030 3.2.2). */
export function isLabel(text: string): boolean {
  return (
    /^[A-Za-z0-9._~-]{1,64}$/.test(text) && text !== '.' && text !== '..' && !OPERATIONS.some((name) => name === text)
  );
}
