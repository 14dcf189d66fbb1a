import fc from "fast-check";

/**
 * A generated machine as plain data. Every number is a choice among what is possible at its place, so that any part
 * can shrink without breaking another: `build.ts` takes it modulo what there is.
 */
export interface Family {
  /** The root machine, and the machines that it and later ones may invoke and spawn. */
  readonly charts: ReadonlyArray<Node>;
}

export interface Node {
  readonly kind: "atomic" | "compound" | "parallel" | "final" | "history";
  /** A history state remembers nested states too. */
  readonly deep: boolean;
  readonly choice: number;
  readonly tags: ReadonlyArray<number>;
  readonly entry: ReadonlyArray<Act>;
  readonly exit: ReadonlyArray<Act>;
  readonly on: ReadonlyArray<{ readonly event: number; readonly moves: ReadonlyArray<Move> }>;
  readonly always: ReadonlyArray<Move>;
  readonly after: ReadonlyArray<{ readonly delay: number; readonly move: Move }>;
  readonly invoke: ReadonlyArray<Invoke>;
  readonly onDone: ReadonlyArray<Move>;
  readonly states: ReadonlyArray<Node>;
}

/** A transition. */
export interface Move {
  readonly to: "nowhere" | "state" | "regions" | "nearby";
  readonly target: number;
  readonly reenter: boolean;
  readonly guard: Guard | null;
  readonly acts: ReadonlyArray<Act>;
}

export const guardKinds = ["atLeast", "atLeastDynamic", "even", "inline", "stateIn", "not", "and", "or"] as const;
export interface Guard {
  readonly is: (typeof guardKinds)[number];
  readonly n: number;
  readonly of: ReadonlyArray<Guard>;
}

export interface Invoke {
  readonly what: "machine" | "promise" | "inlineMachine" | "inlinePromise";
  readonly which: number;
  readonly named: boolean;
  readonly onDone: ReadonlyArray<Move>;
  readonly onError: ReadonlyArray<Move>;
}

export const actKinds = [
  "assign",
  "assignInline",
  "note",
  "raise",
  "raiseLater",
  "sendSelf",
  "sendSelfLater",
  "sendParent",
  "sendParentLater",
  "sendBoss",
  "sendChild",
  "sendChildLater",
  "forward",
  "sendRef",
  "sendRefLater",
  "introduce",
  "cancel",
  "spawn",
  "spawnPromise",
  "spawnInAssign",
  "spawnPromiseInAssign",
  "spawnAndTell",
  "spawnBriefly",
  "stop",
  "stopRef",
  "emit",
  "log",
  "act",
  "actDynamic",
  "enqueue",
] as const;
export interface Act {
  readonly do: (typeof actKinds)[number];
  readonly n: number;
  readonly m: number;
  readonly inside: ReadonlyArray<Act>;
}

const upTo = (max: number) => fc.integer({ min: 0, max });
const few = <A>(of: fc.Arbitrary<A>, max: number, weight: number) =>
  fc.oneof({ weight: 10 - weight, arbitrary: fc.constant<ReadonlyArray<A>>([]) }, { weight, arbitrary: fc.array(of, { minLength: 1, maxLength: max }) as fc.Arbitrary<ReadonlyArray<A>> });

const flatAct: fc.Arbitrary<Act> = fc.record({ do: fc.constantFrom(...actKinds.filter((kind) => kind !== "enqueue")), n: upTo(11), m: upTo(11), inside: fc.constant([]) });
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 14, arbitrary: flatAct },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("enqueue" as const), n: upTo(11), m: upTo(11), inside: fc.array(flatAct, { minLength: 1, maxLength: 3 }) }) },
);
const acts = (weight: number) => few(act, 2, weight);

const flatGuard: fc.Arbitrary<Guard> = fc.record({ is: fc.constantFrom("atLeast", "atLeastDynamic", "even", "inline", "stateIn"), n: upTo(9), of: fc.constant([]) });
const guard: fc.Arbitrary<Guard | null> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: flatGuard },
  { weight: 1, arbitrary: fc.record({ is: fc.constantFrom("not", "and", "or"), n: upTo(9), of: fc.array(flatGuard, { minLength: 1, maxLength: 2 }) }) },
);
const move: fc.Arbitrary<Move> = fc.record({
  to: fc.oneof(
    { weight: 2, arbitrary: fc.constant("nowhere" as const) },
    { weight: 5, arbitrary: fc.constantFrom("state" as const, "nearby" as const) },
    { weight: 1, arbitrary: fc.constant("regions" as const) },
  ),
  target: upTo(60),
  reenter: fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
  guard,
  acts: acts(6),
});
const moves = fc.array(move, { minLength: 1, maxLength: 2 });
const invoke: fc.Arbitrary<Invoke> = fc.record({
  what: fc.oneof({ weight: 4, arbitrary: fc.constantFrom("machine" as const, "promise" as const) }, { weight: 1, arbitrary: fc.constantFrom("inlineMachine" as const, "inlinePromise" as const) }),
  which: upTo(3),
  named: fc.integer({ min: 0, max: 3 }).map((n) => n < 3),
  onDone: few(move, 2, 8),
  onError: few(move, 2, 8),
});

const none = fc.constant([]);
const node = (kind: fc.Arbitrary<Node["kind"]>, states: fc.Arbitrary<ReadonlyArray<Node>>): fc.Arbitrary<Node> =>
  kind.chain((is): fc.Arbitrary<Node> => {
    const isPseudo = is === "history";
    const isOver = is === "final" || isPseudo;
    return fc.record({
      kind: fc.constant(is),
      deep: fc.boolean(),
      choice: upTo(11),
      tags: isPseudo ? none : few(upTo(3), 2, 3),
      entry: isPseudo ? none : acts(4),
      exit: isPseudo ? none : acts(3),
      on: isOver ? none : fc.array(fc.record({ event: upTo(40), moves }), { minLength: 0, maxLength: 3 }),
      always: isOver ? none : few(move, 2, 2),
      after: isOver ? none : few(fc.record({ delay: upTo(11), move }), 2, 3),
      invoke: isOver ? none : few(invoke, 2, 3),
      onDone: is === "compound" || is === "parallel" ? few(move, 1, 5) : none,
      states: is === "compound" || is === "parallel" ? states : none,
    });
  });

const leafKind = fc.oneof(
  { weight: 12, arbitrary: fc.constant("atomic" as const) },
  { weight: 3, arbitrary: fc.constant("final" as const) },
  { weight: 3, arbitrary: fc.constant("history" as const) },
);
const anyKind = fc.oneof(
  { weight: 12, arbitrary: fc.constant("atomic" as const) },
  { weight: 5, arbitrary: fc.constant("compound" as const) },
  { weight: 3, arbitrary: fc.constant("parallel" as const) },
  { weight: 2, arbitrary: fc.constant("final" as const) },
  { weight: 3, arbitrary: fc.constant("history" as const) },
);
const leaf = node(leafKind, none);
const inner = node(anyKind, fc.array(leaf, { minLength: 1, maxLength: 3 }));
const outer = node(anyKind, fc.array(inner, { minLength: 1, maxLength: 3 }));
const rootKind = fc.oneof({ weight: 4, arbitrary: fc.constant("compound" as const) }, { weight: 1, arbitrary: fc.constant("parallel" as const) });
const rootChart = node(rootKind, fc.array(outer, { minLength: 1, maxLength: 4 }));
const childChart = node(rootKind, fc.array(inner, { minLength: 1, maxLength: 3 }));

export const family: fc.Arbitrary<Family> = fc.record({ charts: fc.tuple(rootChart, childChart, childChart) });

/** What happens, one number per step: a choice among what is possible then. */
export const choices = fc.array(upTo(0xffff), { minLength: 4, maxLength: 16 });
