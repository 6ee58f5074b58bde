import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { ConfigError } from './config-error.ts';
import type { ConfigPaths } from './paths.ts';
import { findPosition, type KeyPath } from './position.ts';
import { type ConfigSource, readSources } from './sources.ts';
import { mergeTables, type TomlTable } from './table.ts';
import { unknownKeys } from './unknown-keys.ts';

/** A configuration that has been read, merged and checked. */
export interface LoadedConfig<T> {
  readonly value: T;
  /** The merged tables as written, unknown keys included. */
  readonly table: TomlTable;
  /** One text each: unknown keys, with file, line and the key that was probably meant. */
  readonly warnings: readonly string[];
  readonly sources: readonly ConfigSource[];
}

function keyText(path: KeyPath): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

/** `file:line: key "a.b"` as far as it is known. */
export function describeKey(sources: readonly ConfigSource[], path: KeyPath): string {
  const position = findPosition(sources, path);
  const where = position ? `${position.file}:${position.line}: ` : '';
  return `${where}key "${keyText(path)}"`;
}

function pathOfPointer(pointer: string): KeyPath {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step.replaceAll('~1', '/').replaceAll('~0', '~')));
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return 'a date';
  if (typeof value === 'object') return 'a table';
  return `a ${typeof value === 'bigint' ? 'number' : typeof value}`;
}

function valueAt(table: TomlTable, path: KeyPath): unknown {
  return path.reduce<unknown>((value, step) => (value as Record<string | number, unknown> | undefined)?.[step], table);
}

function shapeError(schema: TSchema, sources: readonly ConfigSource[], table: TomlTable): ConfigError {
  const errors = Compile(schema).Errors(table);
  const missing = errors.find((entry) => entry.keyword === 'required');
  const first = missing ?? errors.find((entry) => entry.keyword !== 'anyOf') ?? errors[0];
  const path = pathOfPointer(first?.instancePath ?? '');
  if (first && first.keyword === 'required') {
    const names = (first.params as { requiredProperties?: string[] }).requiredProperties ?? [];
    return new ConfigError(`${describeKey(sources, [...path, names[0] ?? ''])} is missing`);
  }
  const value = valueAt(table, path);
  return new ConfigError(
    `${describeKey(sources, path)} ${first?.message ?? 'has a wrong type'}; it is ${typeName(value)}`,
  );
}

/**
 * Reads, merges and checks a daemon's configuration. Unknown keys are warned about, wrong types are errors; both name file, line and key.
 * Throws {@link ConfigError}.
 */
export async function loadConfig<T extends TSchema>(
  options: ConfigPaths & { readonly schema: T },
): Promise<LoadedConfig<Static<T>>> {
  const sources = await readSources(options);
  const table = sources.reduce<TomlTable>(
    (merged, source) => mergeTables(merged, source.table),
    Object.create(null) as TomlTable,
  );
  if (!Compile(options.schema).Check(table)) throw shapeError(options.schema, sources, table);
  const warnings = unknownKeys(options.schema, table).map(({ path, meant }) => {
    const hint = meant ? `; did you mean "${meant}"?` : '';
    return `${describeKey(sources, path)} is not known and has no effect${hint}`;
  });
  return { value: table as Static<T>, table, warnings, sources };
}
