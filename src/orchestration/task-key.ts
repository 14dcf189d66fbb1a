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

/** The same for the same work, on every machine: a hash (SHA-256, hexadecimal). */
export const taskKeyOf = ({ requester, kind, agent = "", label = "", body, requestId }: Work): string => {
  const subject = kind === "planner" && requestId !== undefined ? ["request", requestId] : ["body", withoutContract(body)];
  return createHash("sha256")
    .update(JSON.stringify([requester, kind, agent, label, ...subject]))
    .digest("hex");
};

const prefixChars = 12;

/** The id of a task: the beginning of its key, and how often this work was asked for, counted from 1. */
export const taskIdOf = (key: string, attempt: number): string => `${key.slice(0, prefixChars)}-a${attempt}`;
