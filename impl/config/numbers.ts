import { isTable, type TomlTable, type TomlValue } from './table.ts';

/**
 * Tells TOML's integers from its floats, for a table that was parsed with every integer as a bigint: integers become numbers where they
 * fit, and a float that is whole (`1.0`) becomes a bigint, which no schema takes for an integer.
 */
export function partNumbers(value: TomlValue): TomlValue {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(partNumbers);
  return isTable(value) ? partNumbersOf(value) : value;
}

/** The same for each value of a table. */
export function partNumbersOf(table: TomlTable): TomlTable {
  const parted = Object.create(null) as TomlTable;
  for (const [key, value] of Object.entries(table)) parted[key] = partNumbers(value);
  return parted;
}
