/** Which tools each role may call itself. A role that is not named may call all. */
export interface DelegationPolicy {
  readonly allowed: Readonly<Record<string, ReadonlyArray<string>>>;
  /** The blocked attempt of the same call in one run that is let through. */
  readonly letThroughAt: number;
}

export const letThroughAt = 3;

export interface ToolCall {
  readonly role: string;
  /** The run of the caller: counts begin anew with each. */
  readonly run: string;
  readonly tool: string;
  readonly input?: unknown;
}

/** How often each call was blocked, by run and tool; the oldest first. */
export type BlockedCalls = ReadonlyArray<readonly [call: string, count: number]>;

export type Permission =
  | { readonly permission: "allowed" }
  | { readonly permission: "blocked"; readonly hint: string; readonly blocked: number }
  /** The policy forbids it, and was overruled by repetition: this has to be logged. */
  | { readonly permission: "letThrough"; readonly blocked: number };

/** Calls that are remembered. */
const callsMax = 200;

/** Whether a role may make this call, and what is remembered of it. */
export const permit = (policy: DelegationPolicy, before: BlockedCalls, call: ToolCall): { readonly answer: Permission; readonly calls: BlockedCalls } => {
  const allowed = policy.allowed[call.role];
  if (allowed === undefined || allowed.includes(call.tool)) return { answer: { permission: "allowed" }, calls: before };
  const key = JSON.stringify([call.role, call.run, call.tool]);
  const blocked = (before.find(([known]) => known === key)?.[1] ?? 0) + 1;
  const calls = [...before.filter(([known]) => known !== key), [key, blocked] as const].slice(-callsMax);
  if (blocked >= policy.letThroughAt) return { answer: { permission: "letThrough", blocked }, calls };
  return { answer: { permission: "blocked", hint: hintOf(call), blocked }, calls };
};

const inputCharsMax = 260;

const hintOf = ({ role, tool, input }: ToolCall): string => {
  const text = JSON.stringify(input) ?? "";
  const shown = text.length <= inputCharsMax ? text : `${text.slice(0, inputCharsMax)}…`;
  return `the role "${role}" does not call "${tool}" itself; submit it as a task for a worker${shown === "" ? "" : `, with the input ${shown}`}`;
};
