import { createHash } from "node:crypto";
import { ordered } from "../domain/json.ts";

/** What a reply says, as a short text: equal for equal content. */
export const fingerprintOf = (content: unknown): string =>
  createHash("sha256")
    .update(JSON.stringify(ordered(content)) ?? "undefined")
    .digest("base64url");
