/** A TOML value; a bigint is an integer beyond 2^53, or a float that is whole. */
export type TomlValue = string | number | bigint | boolean | Date | TomlValue[] | TomlTable;

/** A TOML table. */
export interface TomlTable {
  [key: string]: TomlValue;
}

/** True for a table, false for arrays, dates and scalars. */
export function isTable(value: TomlValue | undefined): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date);
}

/**
 * Lays a drop-in over what was read before it: tables merge key by key, arrays are appended, everything else is replaced,
 * also where the types differ (spec/transport.md 9). Neither argument is changed.
 */
export function mergeTables(base: TomlTable, patch: TomlTable): TomlTable {
  const merged: TomlTable = Object.assign(Object.create(null) as TomlTable, base);
  for (const [key, value] of Object.entries(patch)) {
    const old = merged[key];
    if (isTable(old) && isTable(value)) merged[key] = mergeTables(old, value);
    else if (Array.isArray(old) && Array.isArray(value)) merged[key] = [...old, ...value];
    else merged[key] = value;
  }
  return merged;
}
