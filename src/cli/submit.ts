import * as Effect from "effect/Effect";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { type Refused, refused, refusedLines } from "./refused.ts";
import { asking, clientOf } from "./server-client.ts";
import type { Streams } from "./streams.ts";
import { parseTaskFile } from "./task-file.ts";

export interface SubmitOptions {
  /** A task file as `run` takes it; "-" is standard input. */
  readonly file: string;
  readonly server: string;
  readonly json: boolean;
}

/** Tasks of one request: a server takes no more at once. */
const bulkMax = 1_000;

/** `taskwright submit FILE --server URL`: gives the tasks of a file to a server, and waits for none of them. The same file again changes nothing. */
export const submit = ({ file, server, json }: SubmitOptions, streams: Streams): Effect.Effect<void, Refused> =>
  Effect.gen(function* () {
    const text = yield* Effect.tryPromise({
      try: async () => (file === "-" ? streams.input() : readFileSync(file, "utf8")),
      catch: (error) => refused(`${file}: ${error instanceof Error ? error.message : String(error)}`),
    });
    const { tasks, problems } = parseTaskFile(text, file === "-" ? process.cwd() : path.dirname(path.resolve(file)));
    if (problems.length > 0) return yield* refusedLines(file, problems);
    const client = yield* clientOf(server);
    // A request is checked as a whole: what it needs must be in it, or be there.
    if (tasks.length > bulkMax && tasks.some(({ needs = [] }) => needs.length > 0))
      return yield* refused(`${file}: ${tasks.length} tasks of which some need others: at most ${bulkMax} of such go to a server at once; divide the file`);
    let fresh = 0;
    for (let from = 0; from < tasks.length; from += bulkMax) {
      const { submitted } = yield* asking(server, client.tasks.submitTasks({ headers: {}, payload: { tasks: tasks.slice(from, from + bulkMax) as never } }));
      for (const { id, duplicate } of submitted) {
        if (!duplicate) fresh++;
        if (json) streams.out(`${JSON.stringify({ id, duplicate })}\n`);
      }
    }
    if (!json) streams.out(`${fresh} of ${tasks.length} tasks submitted to ${server}${fresh === tasks.length ? "" : "; the others were there"}\n`);
  });
