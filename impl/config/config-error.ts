/** A configuration that a daemon cannot start with, or reload; the message names file, line and key as far as known. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
