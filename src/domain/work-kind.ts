/** What sort of work a task is for whoever hands it out. */
export const workKinds = ["worker", "planner", "audit", "research", "orchestrator"] as const;
export type WorkKind = (typeof workKinds)[number];

export const isWorkKind = (word: unknown): word is WorkKind => workKinds.includes(word as WorkKind);

const words: ReadonlyArray<readonly [WorkKind, RegExp]> = [
  ["orchestrator", /\b(orchestrat(?:or|e|es|ion))\b/],
  ["planner", /\b(plan|plans|planner|planning|roadmap|approval|approve|outline|proposal|next steps)\b/],
  ["audit", /\b(audit|audits|auditor|auditing|review|reviews|reviewing|inspect|inspection)\b/],
  ["research", /\b(research|researching|investigate|investigation|survey|explore|find out)\b/],
];

/** The beginning of a body says what it is about. */
const bodyCharsMax = 2_000;

/** The kind of a task that was given none. What its label says goes before what its body says; otherwise it is for a worker. */
export const inferKind = (body: string, label = ""): WorkKind => {
  for (const text of [label.replace(/[-_.]/g, " "), body.slice(0, bodyCharsMax)]) {
    const found = words.find(([, pattern]) => pattern.test(text.toLowerCase()));
    if (found !== undefined) return found[0];
  }
  return "worker";
};
