/** Answers that are asked for again and again, kept for a moment; callers who ask at the same time share one question. */
export interface Memo<T> {
  /** The kept answer, or a new one; a failure is not kept. */
  get(key: string, ask: () => Promise<T>): Promise<T>;
  forget(key: string): void;
  clear(): void;
}

/** More than any device has modules; beyond it everything is forgotten rather than grown. */
const MOST_KEPT = 1000;

/** Makes one. `now` and `keepMs` are milliseconds. */
export function createMemo<T>(now: () => number, keepMs: number): Memo<T> {
  const kept = new Map<string, { readonly answer: Promise<T>; readonly at: number }>();
  return {
    get(key, ask) {
      const known = kept.get(key);
      if (known && now() - known.at < keepMs && now() >= known.at) return known.answer;
      if (kept.size >= MOST_KEPT) kept.clear();
      const answer = ask();
      const entry = { answer, at: now() };
      kept.set(key, entry);
      answer.catch(() => {
        if (kept.get(key) === entry) kept.delete(key);
      });
      return answer;
    },
    forget: (key) => void kept.delete(key),
    clear: () => kept.clear(),
  };
}
