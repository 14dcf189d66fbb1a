import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import * as ParseResult from "effect/ParseResult";
import * as Schema from "effect/Schema";
import { wrongId } from "../domain/address.ts";
import { schemaProblems } from "../domain/names.ts";
import type { LogEntry, Time } from "../engine/index.ts";
import { type Caller, roles } from "./caller.ts";
import { UnsafeServer } from "./errors.ts";

/** A token as a server keeps it: what it is worth, and a hash from which nobody gets it back. */
export const StoredToken = Schema.Struct({
  /** Stands in the token itself; finds its row. */
  id: Schema.String.pipe(Schema.pattern(/^[\w-]{4,32}$/)),
  /** Who uses it, as histories name it. Two tokens may have one name: so it is rotated. */
  name: Schema.String.pipe(Schema.filter((name) => wrongId(name) ?? true)),
  roles: Schema.NonEmptyArray(Schema.Literal(...(roles as ["read", "operate", "worker"]))),
  /** SHA-256 of the salt and the secret, in hexadecimal digits. A secret has 256 random bits: there is nothing to guess. */
  hash: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/)),
  salt: Schema.String,
  /** Milliseconds since 1970. From then on it is refused. */
  expiresAt: Schema.optional(Schema.Number),
});
export type StoredToken = typeof StoredToken.Type;
export const TokenFile = Schema.Struct({ tokens: Schema.Array(StoredToken) });

/** Finds out whom a token belongs to. */
export interface Tokens {
  /** Whether there is any: without, only this machine is served. */
  readonly isEmpty: () => boolean;
  readonly callerOf: (token: string) => Caller | undefined;
}

const hashOf = (salt: string, secret: string): Buffer => createHash("sha256").update(salt).update(secret).digest();

/** A new token: its text, which is told once, and what is kept of it. */
export const newToken = (
  name: string,
  given: readonly [Caller["roles"][number], ...ReadonlyArray<Caller["roles"][number]>],
  expiresAt?: number,
): { readonly token: string; readonly stored: StoredToken } => {
  const id = randomBytes(6).toString("hex");
  const secret = randomBytes(32).toString("base64url");
  const salt = randomBytes(12).toString("base64url");
  const stored = { id, name, roles: given, salt, hash: hashOf(salt, secret).toString("hex"), ...(expiresAt === undefined ? {} : { expiresAt }) };
  return { token: `tw_${id}_${secret}`, stored };
};

export const fixedTokens = (stored: ReadonlyArray<StoredToken>, time: Time): Tokens => {
  const byId = new Map(stored.map((token) => [token.id, token]));
  return {
    isEmpty: () => byId.size === 0,
    callerOf: (token) => {
      const [, id, secret] = /^tw_([\w-]{4,32}?)_([\w-]{20,100})$/.exec(token) ?? [];
      const found = id === undefined ? undefined : byId.get(id);
      // Somebody who guesses ids learns nothing from how long the answer takes.
      const expected = Buffer.from(found?.hash ?? "0".repeat(64), "hex");
      const isRight = timingSafeEqual(hashOf(found?.salt ?? "", secret ?? ""), expected);
      if (found === undefined || !isRight) return undefined;
      if (found.expiresAt !== undefined && time.now() >= found.expiresAt) return undefined;
      return { name: found.name, roles: found.roles };
    },
  };
};

const readTokens = Schema.decodeUnknownEither(Schema.parseJson(TokenFile), { onExcessProperty: "error" });

/** How long a look at the file is good for. Milliseconds. */
const lookMs = 1_000;

/**
 * The tokens of a file. A change of the file counts within a second; one that can't be read leaves the tokens as they
 * were, and is logged. Throws `UnsafeServer` where the file can't be read in the first place.
 */
export const tokensOfFile = (file: string, time: Time, log: (entry: LogEntry) => void): Tokens => {
  const stampOf = () => {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  };
  const read = () => {
    const decoded = readTokens(readFileSync(file, "utf8"));
    if (decoded._tag === "Left") throw new Error(`it is no file of tokens: ${schemaProblems(ParseResult.ArrayFormatter.formatErrorSync(decoded.left))[0]}`);
    return fixedTokens(decoded.right.tokens, time);
  };
  let stamp: string;
  let tokens: Tokens;
  let lookedAt = time.now();
  try {
    stamp = stampOf();
    tokens = read();
  } catch (error) {
    throw new UnsafeServer({ problems: [`${file}: the tokens can't be read: ${messageOf(error)}; "taskwright token add NAME --role operate --tokens ${file}" makes a file`] });
  }
  const current = (): Tokens => {
    const now = time.now();
    if (now - lookedAt < lookMs) return tokens;
    lookedAt = now;
    try {
      const found = stampOf();
      if (found === stamp) return tokens;
      tokens = read();
      stamp = found;
    } catch (error) {
      log({ level: "error", message: `${file}: the tokens stay as they were: ${messageOf(error)}` });
    }
    return tokens;
  };
  return { isEmpty: () => current().isEmpty(), callerOf: (token) => current().callerOf(token) };
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
