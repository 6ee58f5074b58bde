const ALPHABET = /^[A-Za-z0-9\-:.+%_#*?!(),=@$']+$/;

/**
 * What keeps a text from being a module id of IoT Hub, or undefined when nothing does: 1 to 128 characters of the hub's alphabet
 * (spec/cloud.md 10.6). `.` and `..` are refused too, as no address can hold them.
 */
export function moduleIdFault(id: string): string | undefined {
  if (id.trim() === '') return 'module name cannot be empty';
  if (id.length > 128) return 'module name is longer than 128 characters';
  if (id === '.' || id === '..') return `module name cannot be "${id}"`;
  if (!ALPHABET.test(id)) return "module name may hold only ASCII letters, digits and -:.+%_#*?!(),=@$'";
  return undefined;
}
