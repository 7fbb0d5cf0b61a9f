/** A line of a goal that a step leaves, against the goal before. */
export interface Line {
  readonly kind: 'same' | 'added' | 'removed';
  readonly text: string;
}

/** Most pairs of lines that are compared; two goals with more of them are told whole, as gone and come. */
const MOST_PAIRS = 250_000;

/** The lines of two texts in the order of a longest common subsequence; what has gone stands before what has come. */
export function difference(before: string, after: string): Line[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < Math.min(old.length, now.length) && old[start] === now[start]) {
    start++;
  }
  const same = old.splice(0, start);
  now.splice(0, start);
  return [...same.map((text): Line => ({ kind: 'same', text })), ...(old.length * now.length > MOST_PAIRS ? whole(old, now) : compared(old, now))];
}

function whole(old: readonly string[], now: readonly string[]): Line[] {
  return [...old.map((text): Line => ({ kind: 'removed', text })), ...now.map((text): Line => ({ kind: 'added', text }))];
}

function compared(old: readonly string[], now: readonly string[]): Line[] {
  // common[i][j]: length of a longest common subsequence of old[i..] and now[j..]
  const common = Array.from({ length: old.length + 1 }, () => new Array<number>(now.length + 1).fill(0));
  const length = (i: number, j: number): number => common[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const row = common[i] ?? [];
      row[j] = old[i] === now[j] ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    const [gone, come] = [old[i], now[j]];
    if (gone !== undefined && gone === come) {
      lines.push({ kind: 'same', text: gone });
      i++;
      j++;
    } else if (gone !== undefined && (come === undefined || length(i + 1, j) >= length(i, j + 1))) {
      lines.push({ kind: 'removed', text: gone });
      i++;
    } else if (come !== undefined) {
      lines.push({ kind: 'added', text: come });
      j++;
    }
  }
  return lines;
}
