import { createHash } from "node:crypto";
import { withoutContract } from "../domain/result-contract.ts";
import type { WorkKind } from "../domain/work-kind.ts";

/** What makes a piece of work the same as another one. */
export interface Work {
  readonly requester: string;
  readonly kind: WorkKind;
  readonly agent?: string | undefined;
  readonly label?: string | undefined;
  /** What is to be done; a result contract in it does not count. */
  readonly body: string;
  /** Which request it answers. Plans are known by it: the same request has one plan, however it is worded. */
  readonly requestId?: string | undefined;
}

/** Characters of a key: 96 bits, more than enough to tell apart what one host ever does. */
const keyChars = 24;

/** The same for the same work, on every machine: the beginning of a hash (SHA-256, hexadecimal). Ids of tasks begin with it. */
export const taskKeyOf = ({ requester, kind, agent = "", label = "", body, requestId }: Work): string => {
  const subject = kind === "planner" && requestId !== undefined ? ["request", requestId] : ["body", withoutContract(body)];
  return createHash("sha256")
    .update(JSON.stringify([requester, kind, agent, label, ...subject]))
    .digest("hex")
    .slice(0, keyChars);
};
