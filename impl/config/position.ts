import { type AST, parseTOML } from 'toml-eslint-parser';
import type { ConfigSource } from './sources.ts';

/** Path of a key in the merged configuration; numbers are places in arrays, counted over all files. */
export type KeyPath = readonly (string | number)[];

/** `file:line`. */
export interface Position {
  readonly file: string;
  readonly line: number;
}

interface Found {
  readonly path: KeyPath;
  readonly line: number;
}

function keyNames(key: AST.TOMLKey): string[] {
  return key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
}

function collectValue(value: AST.TOMLContentNode, path: KeyPath, found: Found[]): void {
  if (value.type === 'TOMLInlineTable') for (const entry of value.body) collectPair(entry, path, found);
  if (value.type === 'TOMLArray') {
    value.elements.forEach((element, index) => {
      found.push({ path: [...path, index], line: element.loc.start.line });
      collectValue(element, [...path, index], found);
    });
  }
}

function collectPair(pair: AST.TOMLKeyValue, base: KeyPath, found: Found[]): void {
  let path = base;
  for (const name of keyNames(pair.key)) {
    path = [...path, name];
    found.push({ path, line: pair.loc.start.line });
  }
  collectValue(pair.value, path, found);
}

/** Every key of a file with its line, in file order. */
function keysOf(source: ConfigSource): Found[] {
  const found: Found[] = [];
  const program = parseTOML(source.text, { filePath: source.path });
  for (const node of program.body[0].body) {
    if (node.type === 'TOMLKeyValue') collectPair(node, [], found);
    else {
      node.resolvedKey.forEach((_, depth) => {
        found.push({ path: node.resolvedKey.slice(0, depth + 1), line: node.loc.start.line });
      });
      for (const pair of node.body) collectPair(pair, node.resolvedKey, found);
    }
  }
  return found;
}

function arrayLength(source: ConfigSource, path: KeyPath): number {
  let value: unknown = source.table;
  for (const step of path) value = (value as Record<string | number, unknown> | undefined)?.[step];
  return Array.isArray(value) ? value.length : 0;
}

/** The path as it stands in this one file: places in arrays count over all files before it. */
function localPath(path: KeyPath, before: readonly ConfigSource[], source: ConfigSource): KeyPath | undefined {
  const local: (string | number)[] = [];
  for (const step of path) {
    if (typeof step === 'string') local.push(step);
    else {
      const offset = before.reduce((sum, earlier) => sum + arrayLength(earlier, local), 0);
      const place = step - offset;
      if (place < 0 || place >= arrayLength(source, local)) return undefined;
      local.push(place);
    }
  }
  return local;
}

/**
 * Where a key of the merged configuration was written: the last file that sets it, or its nearest table that a file has.
 * Undefined when no file has even its first key. Only used to word a message.
 */
export function findPosition(sources: readonly ConfigSource[], path: KeyPath): Position | undefined {
  for (let length = path.length; length > 0; length--) {
    for (let index = sources.length - 1; index >= 0; index--) {
      const source = sources[index];
      const local = source && localPath(path.slice(0, length), sources.slice(0, index), source);
      if (!source || !local) continue;
      const wanted = JSON.stringify(local);
      const hit = keysOf(source).find((key) => JSON.stringify(key.path) === wanted);
      if (hit) return { file: source.path, line: hit.line };
    }
  }
  return undefined;
}
