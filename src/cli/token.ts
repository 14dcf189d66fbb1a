import * as Effect from "effect/Effect";
import * as Schema from "effect/Schema";
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { newToken, type Role, type StoredToken, TokenFile } from "../server/index.ts";
import { type Refused, refused } from "./refused.ts";
import type { Streams } from "./streams.ts";
import { table } from "./table.ts";
import { timeText } from "./standing.ts";

interface Target {
  readonly tokens: string;
  readonly json: boolean;
}

const read = (file: string): Effect.Effect<ReadonlyArray<StoredToken>, Refused> =>
  existsSync(file)
    ? Effect.try({
        try: () => Schema.decodeUnknownSync(Schema.parseJson(TokenFile))(readFileSync(file, "utf8")).tokens,
        catch: (error) => refused(`${file}: this is no file of tokens: ${error instanceof Error ? error.message : String(error)}`),
      })
    : Effect.succeed([]);

/** In one step: a server that reads it meanwhile sees the old file or the new one. */
const write = (file: string, tokens: ReadonlyArray<StoredToken>): Effect.Effect<void, Refused> =>
  Effect.try({
    try: () => {
      writeFileSync(`${file}.part`, `${JSON.stringify({ tokens }, null, 2)}\n`, { mode: 0o600 });
      chmodSync(`${file}.part`, 0o600);
      renameSync(`${file}.part`, file);
    },
    catch: (error) => refused(`${file}: ${error instanceof Error ? error.message : String(error)}`),
  });

/** `taskwright token add NAME`: the token is printed once; the file has its hash alone. */
export const addToken = (name: string, roles: ReadonlyArray<Role>, expiresInMs: number | undefined, { tokens, json }: Target, streams: Streams, now: number): Effect.Effect<void, Refused> =>
  Effect.gen(function* () {
    const known = yield* read(tokens);
    const made = newToken(name, roles as readonly [Role], expiresInMs === undefined ? undefined : now + expiresInMs);
    yield* Effect.mapError(Schema.decodeUnknown(TokenFile)({ tokens: [made.stored] }), (error) => refused(`"${name}" is no name for a token: ${error.message}`));
    yield* write(tokens, [...known, made.stored]);
    streams.out(json ? `${JSON.stringify({ id: made.stored.id, name, roles, token: made.token })}\n` : `${made.token}\n`);
    if (!json) streams.error(`${tokens}: token ${made.stored.id} of "${name}" (${roles.join(", ")}); it is shown this once, a running server takes it within a second\n`);
  });

/** `taskwright token remove ID`: by the id of one token, or the name of all of one user. */
export const removeToken = (which: string, { tokens, json }: Target, streams: Streams): Effect.Effect<void, Refused> =>
  Effect.gen(function* () {
    const known = yield* read(tokens);
    const left = known.filter(({ id, name }) => id !== which && name !== which);
    const count = known.length - left.length;
    if (count === 0) return yield* refused(`${tokens}: there is no token "${which}"; "taskwright token --tokens ${tokens}" lists all`);
    if (left.length === 0) return yield* refused(`${tokens}: without any token a server serves everybody on its machine; remove the file instead`);
    yield* write(tokens, left);
    streams.out(json ? `${JSON.stringify({ removed: count })}\n` : `${count === 1 ? "1 token" : `${count} tokens`} removed\n`);
  });

/** `taskwright token`. */
export const listTokens = ({ tokens, json }: Target, streams: Streams): Effect.Effect<void, Refused> =>
  Effect.map(read(tokens), (known) => {
    if (json) for (const { id, name, roles, expiresAt } of known) streams.out(`${JSON.stringify({ id, name, roles, expiresAt })}\n`);
    else if (known.length === 0) streams.out("no tokens\n");
    else
      streams.out(
        `${table(
          ["ID", "NAME", "ROLES", "UNTIL"],
          known.map(({ id, name, roles, expiresAt }) => [id, name, roles.join(", "), expiresAt === undefined ? "" : timeText(expiresAt)]),
        )}\n`,
      );
  });
