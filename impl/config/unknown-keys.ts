import type { TSchema } from 'typebox';
import { isTable, type TomlTable, type TomlValue } from './table.ts';

/** A key that the schema does not know, with the known key that was probably meant. */
export interface UnknownKey {
  readonly path: readonly (string | number)[];
  readonly meant: string | undefined;
}

interface SchemaView {
  readonly properties?: Readonly<Record<string, TSchema>>;
  readonly patternProperties?: Readonly<Record<string, TSchema>>;
  readonly items?: TSchema;
  readonly anyOf?: readonly TSchema[];
}

/** Levenshtein distance, bounded by the use: keys are short. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The known name nearest to what was written, when it is near enough to be meant. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  const ranked = known.map((name) => ({ name, far: distance(written.toLowerCase(), name.toLowerCase()) }));
  ranked.sort((a, b) => a.far - b.far);
  const best = ranked[0];
  return best && best.far <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : undefined;
}

function members(schemas: readonly SchemaView[]): { known: Map<string, TSchema[]>; open: TSchema[]; closed: boolean } {
  const known = new Map<string, TSchema[]>();
  const open: TSchema[] = [];
  let closed = false;
  for (const schema of schemas) {
    for (const [name, member] of Object.entries(schema.properties ?? {})) {
      known.set(name, [...(known.get(name) ?? []), member]);
      closed = true;
    }
    open.push(...Object.values(schema.patternProperties ?? {}));
  }
  return { known, open, closed };
}

/** A union counts as all of its members: a key known to one of them is known. */
function flatten(schema: TSchema): SchemaView[] {
  const view = schema as SchemaView;
  return view.anyOf ? view.anyOf.flatMap(flatten) : [view];
}

function walk(
  value: TomlValue,
  schemas: readonly SchemaView[],
  path: readonly (string | number)[],
  found: UnknownKey[],
): void {
  if (Array.isArray(value)) {
    const items = schemas.flatMap((schema) => (schema.items ? flatten(schema.items) : []));
    if (items.length === 0) return;
    for (const [index, item] of value.entries()) walk(item, items, [...path, index], found);
    return;
  }
  if (!isTable(value)) return;
  const { known, open, closed } = members(schemas);
  for (const [key, member] of Object.entries(value)) {
    const own = known.get(key) ?? open;
    if (own.length > 0) walk(member, own.flatMap(flatten), [...path, key], found);
    else if (closed) found.push({ path: [...path, key], meant: nearest(key, [...known.keys()]) });
  }
}

/** Keys of the merged configuration that no schema member stands for; tables without any declared member are left alone. */
export function unknownKeys(schema: TSchema, table: TomlTable): UnknownKey[] {
  const found: UnknownKey[] = [];
  walk(table, flatten(schema), [], found);
  return found;
}
