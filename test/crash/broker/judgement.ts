import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../check/database.ts";

export const rules = {
  kept: "what its sender was told is stored is there, and has come to an end",
  once: "nothing is answered twice",
  answered: "what counts as answered was sent, and what was sent counts as answered or unknown",
  one: "no message is begun by two endpoints",
  seen: "whatever was answered was begun by the endpoint that answered",
  sequence: "the states of an assignment come in the order of their numbers",
} as const;

export interface Violation {
  readonly rule: string;
  readonly what: string;
}

interface Answer {
  readonly message: string;
  readonly content: string;
  readonly assignment: string;
}

/** Lines of a log; one that was cut by a kill was never said. */
const logOf = <A>(path: string): ReadonlyArray<A> =>
  existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .flatMap((line) => {
          try {
            return [JSON.parse(line) as A];
          } catch {
            return [];
          }
        })
    : [];

/** Knows the rows and the logs alone: what senders were told, what endpoints began, what the outside got. */
export const judge = async (folder: string, acknowledged: ReadonlyArray<string>): Promise<ReadonlyArray<Violation>> => {
  const violations: Array<Violation> = [];
  const report = (rule: string, what: string) => void violations.push({ rule, what });
  const answers = logOf<Answer>(join(folder, "answers.log"));
  const begun = readdirSync(folder)
    .filter((name) => name.startsWith("seen-"))
    .flatMap((name) => logOf<{ readonly message: string; readonly assignment: string }>(join(folder, name)).map((line) => ({ ...line, endpoint: name.slice(5, -4) })));

  const database = await openDatabase(join(folder, "broker.db"));
  const rows = database.all("SELECT a.address, s.state FROM actors a JOIN states s ON s.actor = a.id WHERE a.machine = 'message'") as ReadonlyArray<{
    readonly address: string;
    readonly state: string;
  }>;
  database.close();
  const states = new Map(rows.map(({ address, state }) => [address.slice("message/".length), stateOf(state)]));
  const sent = new Map<string, number>();
  for (const { message } of answers) sent.set(message, (sent.get(message) ?? 0) + 1);

  for (const id of acknowledged) {
    const state = states.get(id);
    if (state === undefined) report(rules.kept, `"${id}" is not there`);
    else if (!ends.has(state)) report(rules.kept, `"${id}" is ${state}`);
  }
  for (const [message, times] of sent) {
    if (times > 1) report(rules.once, `"${message}" was answered ${times} times`);
    const state = states.get(message);
    if (state !== "answered" && state !== "unanswered") report(rules.answered, `"${message}" was answered and is ${state}`);
  }
  for (const [message, state] of states) if (state === "answered" && !sent.has(message)) report(rules.answered, `"${message}" counts as answered, and nothing was sent`);
  const by = new Map<string, Set<string>>();
  for (const { message, endpoint } of begun) by.set(message, (by.get(message) ?? new Set()).add(endpoint));
  for (const [message, endpoints] of by) if (endpoints.size > 1) report(rules.one, `"${message}" was begun by ${[...endpoints].join(" and ")}`);
  for (const { message, content } of answers) {
    const endpoint = content.split(" ")[0] ?? "";
    if (!by.get(message)?.has(endpoint)) report(rules.seen, `"${message}" was answered by ${endpoint}, which never began it`);
  }
  const last = new Map<string, number>();
  const known = new Set<string>();
  for (const { key, type, payload } of logOf<{ readonly key: string; readonly type: string; readonly payload: { readonly assignment: string; readonly sequence: number } }>(
    join(folder, "upstream.log"),
  )) {
    // Delivered at least once: a repeated key is the same thing again.
    if (type !== "assignment" || known.has(key)) continue;
    known.add(key);
    const before = last.get(payload.assignment) ?? 0;
    if (payload.sequence !== before + 1) report(rules.sequence, `${payload.assignment}: ${payload.sequence} came after ${before}`);
    last.set(payload.assignment, payload.sequence);
  }
  return violations;
};

/** A reply, or a recorded refusal. */
const ends: ReadonlySet<string> = new Set(["answered", "unanswered", "failed", "expired", "settled"]);

/** The innermost word of a stored state. */
const stateOf = (json: string): string => {
  let value = (JSON.parse(json) as { readonly value: unknown }).value;
  while (typeof value === "object" && value !== null) value = Object.values(value)[0];
  return String(value);
};
