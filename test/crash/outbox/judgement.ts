/** What came of a journey: what was committed, what was promised, and what the receiver wrote down. */
export interface Evidence {
  /** From the history of the outbox, in order. */
  readonly committed: ReadonlyArray<{ readonly id: string; readonly lane: string }>;
  /** From the history of the sources. */
  readonly added: ReadonlyArray<string>;
  /** Keys of entries that are still there. */
  readonly left: ReadonlyArray<string>;
  /** Receipts that the sender got. */
  readonly acknowledged: ReadonlyArray<string>;
  /** Lines of the receiver: what happened, the key, the lane, the id. */
  readonly log: string;
}

export const rules = {
  arrives: "every committed entry arrives",
  committed: "nothing arrives that was not committed",
  acknowledged: "what was acknowledged is committed",
  whole: "a transition is stored with its entry",
  key: "an entry has one key",
  once: "each effect happens exactly once",
  order: "entries of a lane first arrive, and take effect, in their order",
  end: "every run comes to its end",
} as const;

export interface Violation {
  readonly rule: (typeof rules)[keyof typeof rules];
  readonly what: string;
}

/** Looks at the end of a journey. Knows nothing of how it came about. */
export const judge = ({ committed, added, left, acknowledged, log }: Evidence): ReadonlyArray<Violation> => {
  const lines = log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" ") as [string, string, string, string]);
  const ids = new Set(committed.map(({ id }) => id));
  const keys = new Map<string, Set<string>>();
  const effects = new Map<string, number>();
  /** What happened first to entries, by what and lane: in that order. */
  const firsts = new Map<string, Array<string>>();
  const seen = new Set<string>();
  for (const [what, key, lane, id] of lines) {
    if (!seen.has(`${what} ${id}`)) firsts.set(`${what} ${lane}`, [...(firsts.get(`${what} ${lane}`) ?? []), id]);
    seen.add(`${what} ${id}`);
    if (what === "effect") effects.set(id, (effects.get(id) ?? 0) + 1);
    if (what !== "begin") continue;
    keys.set(id, (keys.get(id) ?? new Set()).add(key));
  }
  const found: Array<Violation> = [];
  const report = (rule: keyof typeof rules, what: ReadonlyArray<string>) => {
    for (const one of what) found.push({ rule: rules[rule], what: one });
  };
  report(
    "arrives",
    [...ids].filter((id) => !keys.has(id)),
  );
  report(
    "arrives",
    left.map((key) => `${key} is left`),
  );
  report(
    "committed",
    [...keys.keys()].filter((id) => !ids.has(id)),
  );
  report(
    "acknowledged",
    acknowledged.filter((id) => !ids.has(id)),
  );
  report(
    "whole",
    added.filter((id) => !ids.has(id)),
  );
  report(
    "key",
    [...keys].flatMap(([id, { size }]) => (size === 1 ? [] : [`${id} came with ${size} keys`])),
  );
  report(
    "once",
    [...ids].flatMap((id) => (effects.get(id) === 1 ? [] : [`${id}: ${effects.get(id) ?? 0} times`])),
  );
  for (const lane of new Set(committed.map((entry) => entry.lane)))
    for (const what of ["begin", "effect"]) {
      const came = (firsts.get(`${what} ${lane}`) ?? []).filter((id) => ids.has(id));
      const wanted = committed.filter((entry) => entry.lane === lane && seen.has(`${what} ${entry.id}`)).map(({ id }) => id);
      const at = wanted.findIndex((id, index) => came[index] !== id);
      if (at >= 0) report("order", [`${what}, lane ${lane}: ${came[at]} came where ${wanted[at]} was due`]);
    }
  return found;
};
