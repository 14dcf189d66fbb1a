const marker = "[Result contract]";

export interface ContractedTask {
  readonly taskId: string;
  /** Counted from 1. */
  readonly attempt: number;
}

/**
 * The text that a worker is handed: the work, and how to report its end so that `receiptsIn` can read it. A contract
 * that stands there already is replaced, so that a repeated attempt has its own number.
 */
export const withContract = (body: string, { taskId, attempt }: ContractedTask): string =>
  [
    withoutContract(body),
    "",
    marker,
    "End with ONE JSON object in a ```json fence:",
    "{",
    `  "task_id": ${JSON.stringify(taskId)},`,
    '  "status": "completed | blocked | failed",',
    '  "blockers": [{ "type": "...", "message": "...", "suggested_fix": "...", "required_from_user": false }],',
    '  "artifacts": [{ "kind": "...", "path_or_ref": "...", "description": "..." }],',
    '  "verification": [{ "kind": "command | file | url", "value": "...", "expected": "..." }],',
    '  "summary": "at most 8 short lines"',
    "}",
    "An empty verification list says that nothing needs to be verified.",
    `Attempt: ${attempt}`,
  ].join("\n");

/** The work alone: what task keys are made of. */
export const withoutContract = (text: string): string => {
  const at = text.startsWith(marker) ? 0 : text.indexOf(`\n${marker}`);
  return (at < 0 ? text : text.slice(0, at)).trim();
};
