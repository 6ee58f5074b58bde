import { stringify } from 'smol-toml';

export type TomlValue = string | number | boolean | readonly TomlValue[] | TomlTable;
export interface TomlTable {
  readonly [key: string]: TomlValue;
}

/** The text of a configuration file, headed by a comment. */
export function tomlFile(comment: string, table: TomlTable): string {
  return `# ${comment}\n\n${stringify(table)}\n`;
}

/** A `file:` URL of an absolute path, as the configurations take it. */
export function fileUri(path: string): string {
  return `file://${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** The URL of a Unix socket, as `[endpoints]` takes it. */
export function unixUri(path: string): string {
  return `unix://${path.split('/').map(encodeURIComponent).join('/')}`;
}
