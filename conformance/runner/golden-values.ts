/** Values kept from answers, by the name that stands in double braces in a recording. */
export type SavedValues = Map<string, string>;

const NAME = /\{\{([^{}]+)\}\}/g;

/**
 * Replaces `{{name}}` and the `@WORDS@` in every string of a value.
 * @throws Error for a name that no earlier answer gave
 */
export function fillIn(value: unknown, saved: SavedValues, words: Readonly<Record<string, string>> = {}): unknown {
  if (typeof value === 'string') {
    let text = value;
    for (const [word, replacement] of Object.entries(words)) text = text.replaceAll(word, replacement);
    return text.replace(NAME, (_whole, name: string) => {
      const known = saved.get(name);
      if (known === undefined) throw new Error(`nothing was saved as ${name}`);
      return known;
    });
  }
  if (Array.isArray(value)) return value.map((item) => fillIn(item, saved, words));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, saved, words)]));
  return value;
}

/** Keeps the members of an answer that an exchange names in `save`. */
export function keep(body: unknown, save: Readonly<Record<string, string>>, saved: SavedValues): void {
  if (typeof body !== 'object' || body === null) return;
  const members = new Map<string, unknown>(Object.entries(body));
  for (const [name, member] of Object.entries(save)) {
    const value = members.get(member);
    if (typeof value === 'string') saved.set(name, value);
  }
}

/** Replaces `@WORDS@` in the strings of an expected body, and leaves `{{name}}` as it is. */
export function fillWords(body: unknown, words: Readonly<Record<string, string>>): unknown {
  if (typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(
    Object.entries(body).map(([key, value]: [string, unknown]) => {
      const word = typeof value === 'string' ? words[value] : undefined;
      return [key, word ?? value];
    }),
  );
}
