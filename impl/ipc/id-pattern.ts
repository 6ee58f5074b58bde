/**
 * Whether a principal's pattern covers the whole id: `*` any run of characters, `?` exactly one Unicode character,
 * everything else literal and case-sensitive (spec/keys-service.md 4). Linear in pattern times id, no backtracking blow-up.
 */
export function matchesIdPattern(pattern: string, id: string): boolean {
  const want = Array.from(pattern);
  const have = Array.from(id);
  let p = 0;
  let i = 0;
  let star = -1;
  let resume = 0;
  while (i < have.length) {
    if (want[p] === '*') {
      star = p++;
      resume = i;
    } else if (p < want.length && (want[p] === '?' || want[p] === have[i])) {
      p++;
      i++;
    } else if (star >= 0) {
      p = star + 1;
      i = ++resume;
    } else return false;
  }
  while (want[p] === '*') p++;
  return p === want.length;
}
