import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { ConfigError } from './config-error.ts';
import { partNumbersOf } from './numbers.ts';
import type { ConfigPaths } from './paths.ts';
import type { TomlTable } from './table.ts';

/** One file of a configuration, read and parsed. */
export interface ConfigSource {
  readonly path: string;
  readonly text: string;
  readonly table: TomlTable;
}

const LARGEST_FILE_BYTES = 4 * 1024 * 1024;

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function parseSource(path: string, bytes: Buffer): ConfigSource {
  if (bytes.length > LARGEST_FILE_BYTES) throw new ConfigError(`${path}: larger than ${LARGEST_FILE_BYTES} bytes`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`${path}: not UTF-8 text; save it as UTF-8`);
  }
  try {
    return { path, text, table: partNumbersOf(parse(text, { integersAsBigInt: true }) as TomlTable) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split('\n')[0]?.replace(/^Invalid TOML document: /, '');
    throw new ConfigError(`${path}:${error.line}:${error.column}: not valid TOML: ${what}`);
  }
}

async function readSource(path: string): Promise<ConfigSource | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw new ConfigError(`${path}: could not read the file`, { cause });
  }
  return parseSource(path, bytes);
}

/** Drop-ins: regular files directly in the folder whose extension is exactly `toml`, by the bytes of their path; symlinks do not count. */
async function dropIns(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && /.\.toml$/.test(entry.name))
      .map((entry) => join(directory, entry.name))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch (cause) {
    if (isAbsent(cause)) return [];
    throw new ConfigError(`${directory}: could not list the folder`, { cause });
  }
}

/**
 * Reads the main file (absent: nothing) and the drop-ins in their order (spec/transport.md 9).
 * Throws {@link ConfigError} that names the file, and line and column of bad TOML.
 */
export async function readSources({ mainFile, directory }: ConfigPaths): Promise<ConfigSource[]> {
  const sources: ConfigSource[] = [];
  for (const path of [mainFile, ...(await dropIns(directory))]) {
    const source = await readSource(path);
    if (source) sources.push(source);
  }
  return sources;
}
