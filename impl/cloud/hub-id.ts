const ALPHABET = /^[A-Za-z0-9\-:.+%_#*?!(),=@$']+$/;

/**
 * What keeps a text from being the id of a device or module in IoT Hub, or undefined when nothing does: 1 to 128 characters of the hub's
 * alphabet (spec/cloud.md 10.6). `.` and `..` are refused too, as no address can hold them.
 *
 * @param what the id in words, with which the text begins: `module name`.
 */
export function hubIdFault(id: string, what: string): string | undefined {
  if (id.trim() === '') return `${what} cannot be empty`;
  if (id.length > 128) return `${what} is longer than 128 characters`;
  if (id === '.' || id === '..') return `${what} cannot be "${id}"`;
  if (!ALPHABET.test(id)) return `${what} may hold only ASCII letters, digits and -:.+%_#*?!(),=@$'`;
  return undefined;
}
