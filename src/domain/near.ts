const shownMax = 3;
/** Beyond this many candidates or characters the comparison would be noticed. */
const comparedMax = 20_000;
const lengthMax = 60;

/** The candidates that somebody may have meant by `wanted`, best first, at most three. */
export const nearMatches = (wanted: string, candidates: Iterable<string>): ReadonlyArray<string> => {
  const lower = wanted.toLowerCase();
  const scored: Array<{ readonly text: string; readonly score: number }> = [];
  // Two letters that changed places count as two.
  const allowed = Math.max(lower.length >= 4 ? 2 : 1, Math.floor(lower.length / 3));
  let compared = 0;
  for (const text of candidates) {
    if (++compared > comparedMax) break;
    const other = text.toLowerCase();
    const contains = lower.length >= 2 && (other.includes(lower) || (other.length >= 2 && lower.includes(other)));
    const score = contains ? 0.5 + Math.abs(other.length - lower.length) / 1_000 : distance(lower.slice(0, lengthMax), other.slice(0, lengthMax));
    if (score <= allowed) scored.push({ text, score });
  }
  return scored
    .sort((a, b) => a.score - b.score)
    .slice(0, shownMax)
    .map(({ text }) => text);
};

/** ` (did you mean "a" or "b"?)`, or nothing. */
export const didYouMean = (wanted: string, candidates: Iterable<string>): string => {
  const near = nearMatches(wanted, candidates);
  return near.length === 0 ? "" : ` (did you mean ${near.map((text) => JSON.stringify(text)).join(" or ")}?)`;
};

/** Levenshtein's distance: how many characters to insert, delete or replace. */
const distance = (from: string, to: string): number => {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (previous[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[to.length] as number;
};
