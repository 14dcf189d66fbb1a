import * as Schema from "effect/Schema";

/** What keeps a worker from going on. */
export const Blocker = Schema.Struct({
  type: Schema.String,
  message: Schema.String,
  suggestedFix: Schema.optional(Schema.String),
  /** Only the user can take it away. */
  requiredFromUser: Schema.Boolean,
});
/** What a worker made: a file, a link, a commit. */
export const Artifact = Schema.Struct({ kind: Schema.String, ref: Schema.String, description: Schema.optional(Schema.String) });
/** What somebody else can look at to see that the work is done. */
export const VerificationItem = Schema.Struct({ kind: Schema.String, value: Schema.String, expected: Schema.optional(Schema.String) });

export const ReceiptStatus = Schema.Literal("completed", "blocked", "failed");
export type ReceiptStatus = typeof ReceiptStatus.Type;

/** What a worker says at its end of the task that it was given. It claims; whether it is so is for a verifier to see. */
export const Receipt = Schema.Struct({
  taskId: Schema.NonEmptyString,
  status: ReceiptStatus,
  blockers: Schema.Array(Blocker),
  artifacts: Schema.Array(Artifact),
  /** Null: the worker said nothing of it. Empty: it said that nothing needs to be verified. */
  verification: Schema.NullOr(Schema.Array(VerificationItem)),
  summary: Schema.String,
  /** Found in text that is no JSON: only the id and the status are sure. */
  isSalvaged: Schema.Boolean,
});
export type Receipt = typeof Receipt.Type;

/** Where a task goes on when its worker has ended well. */
export type AfterReceipt = "done" | "needsVerification" | "needsInput" | "failed";

/** Ended without a receipt, or completed without a word on verification: somebody has to look. */
export const afterReceipt = (receipt: Receipt | undefined): AfterReceipt => {
  if (receipt === undefined) return "needsVerification";
  if (receipt.status === "blocked") return "needsInput";
  if (receipt.status === "failed") return "failed";
  return receipt.verification?.length === 0 ? "done" : "needsVerification";
};

/** How long a task may wait to be verified, in milliseconds. */
export const verificationGraceMs = 120_000;

/** Nobody verified in time: what the worker said counts, if it said enough. */
export const afterGrace = (receipt: Receipt | undefined): { readonly to: "done" } | { readonly to: "needsInput"; readonly reason: "timeout-unverified" | "timeout-missing-receipt" } => {
  if (receipt === undefined) return { to: "needsInput", reason: "timeout-missing-receipt" };
  return receipt.verification === null ? { to: "needsInput", reason: "timeout-unverified" } : { to: "done" };
};

/** Characters of a worker's text that are searched: the last ones, because a receipt stands at the end. */
export const receiptCharsMax = 256 * 1024;
/** Receipts of one text, and entries of each of their lists: the last and the first ones are kept. */
const receiptsMax = 100;
const idCharsMax = 200;
const textCharsMax = 4_000;

/**
 * The receipts in a worker's final text, the last one of each task: JSON in fences (``` or ```json), one object or a
 * list. What stands in fences and is no JSON is searched for an id and a status, and so is a text without any receipt.
 * Never throws; reads each character a bounded number of times.
 */
export const receiptsIn = (text: string): ReadonlyArray<Receipt> => {
  const searched = text.slice(-receiptCharsMax);
  const fenced = fencedIn(searched).flatMap((block) => {
    const value = jsonOf(block);
    return value === undefined ? salvagedIn(block) : (Array.isArray(value) ? value : [value]).flatMap(receiptOf);
  });
  const byTask = new Map<string, Receipt>();
  for (const receipt of fenced.length > 0 ? fenced : salvagedIn(searched)) {
    byTask.delete(receipt.taskId);
    byTask.set(receipt.taskId, receipt);
  }
  return [...byTask.values()].slice(-receiptsMax);
};

/** What a worker's text says of the task that it was given; what it says of others is not its to say. */
export const receiptFor = (taskId: string, text: string): Receipt | undefined => receiptsIn(text).find((receipt) => receipt.taskId === taskId);

const opening = /^[ \t]*```[ \t]*(?:jsonc?|receipt)?(?![\w-])/i;
const closing = /```[ \t]*$/;

/** What stands between fences; in one that is not closed, everything that follows. A fence within JSON's own texts is not at the beginning of a line. */
const fencedIn = (text: string): ReadonlyArray<string> => {
  const blocks: Array<string> = [];
  let open: Array<string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (open === undefined) {
      const begin = opening.exec(line);
      if (begin === null) continue;
      const rest = line.slice(begin[0].length);
      if (closing.test(rest)) blocks.push(rest.replace(closing, ""));
      else open = [rest];
    } else if (/^[ \t]*```/.test(line) || (closing.test(line) && /[}\]][ \t]*```/.test(line))) {
      open.push(line.replace(/```.*$/, ""));
      blocks.push(open.join("\n"));
      open = undefined;
    } else open.push(line);
  }
  if (open !== undefined) blocks.push(open.join("\n"));
  return blocks.filter((block) => /^\s*[[{]/.test(block));
};

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

type Fields = Readonly<Record<string, unknown>>;
const isRecord = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
/** A text that every store gives back as it is. */
const textOf = (value: unknown, charsMax = textCharsMax): string =>
  (typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value))
    .slice(0, charsMax)
    .replaceAll("\u0000", " ")
    .replace(/\p{Surrogate}/gu, "\ufffd")
    .trim();
const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value.slice(0, receiptsMax) : []);
const optional = <Name extends string>(name: Name, value: unknown): { readonly [Key in Name]?: string } => {
  const text = textOf(value);
  return (text === "" ? {} : { [name]: text }) as { readonly [Key in Name]?: string };
};
const statusOf = (value: unknown): ReceiptStatus | undefined => {
  const word = typeof value === "string" ? value.trim().toLowerCase() : "";
  return word === "completed" || word === "blocked" || word === "failed" ? word : undefined;
};

const receiptOf = (value: unknown): ReadonlyArray<Receipt> => {
  if (!isRecord(value)) return [];
  const id = value.task_id ?? value.taskId;
  const taskId = typeof id === "string" ? textOf(id, idCharsMax) : "";
  const status = statusOf(value.status);
  if (taskId === "" || status === undefined) return [];
  return [
    {
      taskId,
      status,
      blockers: listOf(value.blockers).map(blockerOf),
      artifacts: listOf(value.artifacts).map(artifactOf),
      verification: verificationOf(value),
      summary: textOf(value.summary),
      isSalvaged: false,
    },
  ];
};

const blockerOf = (value: unknown): typeof Blocker.Type =>
  isRecord(value)
    ? {
        type: textOf(value.type) || "unknown",
        message: textOf(value.message) || textOf(value),
        ...optional("suggestedFix", value.suggested_fix ?? value.suggestedFix),
        requiredFromUser: (value.required_from_user ?? value.requiredFromUser) === true,
      }
    : { type: "unknown", message: textOf(value), requiredFromUser: false };

const artifactOf = (value: unknown): typeof Artifact.Type =>
  isRecord(value)
    ? { kind: textOf(value.kind) || "unknown", ref: textOf(value.path_or_ref ?? value.ref ?? value.path ?? value.url) || textOf(value), ...optional("description", value.description) }
    : { kind: "unknown", ref: textOf(value) };

/** An entry that can't be read is one to be verified all the same: only an empty list says that there is none. */
const verificationOf = (value: Fields): Receipt["verification"] => {
  if (Array.isArray(value.verification)) {
    return listOf(value.verification).map((item) =>
      isRecord(item) ? { kind: textOf(item.kind) || "unknown", value: textOf(item.value) || textOf(item), ...optional("expected", item.expected) } : { kind: "unknown", value: textOf(item) },
    );
  }
  return value.verification_required === false || value.no_verification === true ? [] : null;
};

// Each quantifier ends at a character that the next part begins with, so that a text is gone through once.
const field = /["'](task_?id|status)["']\s{0,100}:\s{0,100}["']([^"'\\\n]{1,200})["']/gi;

/** Ids with the status that stands next to each, in either order. */
const salvagedIn = (text: string): ReadonlyArray<Receipt> => {
  const found: Array<Receipt> = [];
  let taskId: string | undefined;
  let status: ReceiptStatus | undefined;
  for (const [, name = "", value = ""] of text.matchAll(field)) {
    if (name.toLowerCase() === "status") status = statusOf(value) ?? status;
    else {
      // The status of the one before was not found.
      if (taskId !== undefined) status = undefined;
      taskId = textOf(value, idCharsMax) || undefined;
    }
    if (taskId === undefined || status === undefined) continue;
    found.push({ taskId, status, blockers: [], artifacts: [], verification: null, summary: "", isSalvaged: true });
    taskId = undefined;
    status = undefined;
  }
  return found;
};
