/** "Did you mean": candidates close in spelling. */

const most = 3;

/** The names within a third of the word's length (at least one, at most three) edits of `name`, closest first, of equals the one that comes first in `names`. */
export function closest(name: string, names: Iterable<string>): readonly string[] {
  const limit = Math.min(3, Math.max(1, Math.floor(name.length / 3)));
  const found: { name: string; distance: number }[] = [];
  for (const candidate of new Set(names)) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), limit);
    if (candidate !== name && distance <= limit) found.push({ name: candidate, distance });
  }
  found.sort((a, b) => a.distance - b.distance);
  return found.slice(0, most).map(f => f.name);
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment); stops counting beyond `limit`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
