import { fileURLToPath } from 'node:url';

/** Where a preloaded certificate comes from (spec/certificates-service.md 5). */
export type Preloaded =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'unusable'; readonly fault: string }
  | { readonly kind: 'bundle'; readonly members: readonly string[] };

/**
 * Reads an entry of `[preloaded_certs]`. A URL that is not of a local file is `unusable`: its own requests fail, nothing else.
 *
 * @returns undefined when the text is no absolute URL, which the whole configuration fails by.
 */
export function readPreloaded(value: string | readonly string[]): Preloaded | undefined {
  if (typeof value !== 'string') return { kind: 'bundle', members: value };
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    return undefined;
  }
  try {
    if (url.protocol !== 'file:') return { kind: 'unusable', fault: `scheme "${url.protocol}" is not file:` };
    const path = fileURLToPath(url);
    return path.includes('\0') ? { kind: 'unusable', fault: 'path holds a zero byte' } : { kind: 'file', path };
  } catch (error) {
    return { kind: 'unusable', fault: (error as Error).message };
  }
}

/** A bundle that leads back to itself, as the ids on the way, or undefined. Deep lists cost no stack. */
export function findCycle(preloaded: ReadonlyMap<string, Preloaded>): readonly string[] | undefined {
  const done = new Set<string>();
  for (const start of preloaded.keys()) {
    const path: { id: string; rest: string[] }[] = [{ id: start, rest: membersOf(preloaded, start) }];
    const onPath = new Set([start]);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const next = top.rest.shift();
      if (next === undefined) {
        done.add(top.id);
        onPath.delete(top.id);
        path.pop();
      } else if (onPath.has(next)) {
        return [...path.map((step) => step.id).slice(path.findIndex((step) => step.id === next)), next];
      } else if (!done.has(next)) {
        path.push({ id: next, rest: membersOf(preloaded, next) });
        onPath.add(next);
      }
    }
  }
  return undefined;
}

function membersOf(preloaded: ReadonlyMap<string, Preloaded>, id: string): string[] {
  const entry = preloaded.get(id);
  return entry?.kind === 'bundle' ? [...entry.members] : [];
}
