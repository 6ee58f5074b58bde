/** Whether an id fits a pattern: `*` is any run of characters; without one, the id has to begin with the pattern. */
export function fits(id: string, pattern: string): boolean {
  if (!pattern.includes('*')) return id.startsWith(pattern);
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(id);
}

/** Orders ids as people do: numbers by value. */
export function byId(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true });
}

const CASE_ID = /\b(?:[A-Z]+-\d{3}(?:\/[a-z]+)?|[a-z]+(?:-[a-z]+)*#[\w/.%-]+)/g;

/** The cases that a text names: `judged as TR-001/certd`. */
export function idsIn(text: string): string[] {
  return text.match(CASE_ID) ?? [];
}
