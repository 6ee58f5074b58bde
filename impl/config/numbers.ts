import { isTable, type TomlTable, type TomlValue } from './table.ts';

function partNumber(value: TomlValue): TomlValue {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(partNumber);
  return isTable(value) ? partNumbersOf(value) : value;
}

/**
 * Tells TOML's integers from its floats, in a table that was parsed with every integer as a bigint: integers become numbers where they
 * fit, and a float that is whole (`1.0`) becomes a bigint, which no schema takes for an integer.
 */
export function partNumbersOf(table: TomlTable): TomlTable {
  const parted = Object.create(null) as TomlTable;
  for (const [key, value] of Object.entries(table)) parted[key] = partNumber(value);
  return parted;
}
