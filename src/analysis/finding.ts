/** What the check knows how to find. */
export type Rule =
  | "refused"
  | "declaration"
  | "unbounded"
  | "unlimited-activity"
  | "dead-end"
  | "leak"
  | "unreachable-state"
  | "unreachable-edge"
  | "dead-always"
  | "endless-always"
  | "no-on-error"
  | "nobody-sends"
  | "nobody-takes";

/** One thing that is wrong with a machine. */
export interface Finding {
  readonly rule: Rule;
  readonly machine: string;
  /** The id of a node or an edge of its graph. */
  readonly at: string;
  readonly what: string;
  readonly remedy: string;
  /** The edges that lead there, where a way was looked for. */
  readonly way?: ReadonlyArray<string>;
}

export const findingText = ({ machine, at, what, remedy, way = [] }: Finding): string => `machine "${machine}", ${at}: ${what}${way.length === 0 ? "" : ` (by ${way.join(", then ")})`}; ${remedy}`;
