/**
 * The order of machine versions, as semantic versioning has it: numbers are compared part by part, a missing part is 0,
 * and what stands behind a hyphen comes before the version without it. Parts that are no numbers are compared as text.
 * Below 0: `left` is the earlier one. 0: neither.
 */
export const compareVersions = (left: string, right: string): number => {
  const [leftCore, leftPre] = partsOf(left);
  const [rightCore, rightPre] = partsOf(right);
  const core = compareParts(leftCore, rightCore, "0");
  if (core !== 0) return core;
  if (leftPre === undefined || rightPre === undefined) return leftPre === rightPre ? 0 : leftPre === undefined ? 1 : -1;
  return compareParts(leftPre, rightPre, "");
};

const partsOf = (version: string): readonly [ReadonlyArray<string>, ReadonlyArray<string> | undefined] => {
  const text = version.replace(/^v(?=\d)/, "").replace(/\+.*$/, "");
  const hyphen = text.indexOf("-");
  return hyphen < 0 ? [text.split("."), undefined] : [text.slice(0, hyphen).split("."), text.slice(hyphen + 1).split(".")];
};

const isNumber = (part: string): boolean => /^\d+$/.test(part);

const compareParts = (left: ReadonlyArray<string>, right: ReadonlyArray<string>, missing: string): number => {
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const a = left[i] ?? missing;
    const b = right[i] ?? missing;
    if (a === b) continue;
    if (isNumber(a) && isNumber(b)) {
      if (Number(a) !== Number(b)) return Number(a) - Number(b);
    } else if (isNumber(a) || isNumber(b)) return a === "" || (isNumber(a) && b !== "") ? -1 : 1;
    else return a < b ? -1 : 1;
  }
  return 0;
};
