import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { random } from "./random.ts";

/** How a task must have ended when all is over, whatever was killed meanwhile. */
export type Ending = "done" | "dead" | "cancelled";

export interface TaskLine {
  readonly id: string;
  readonly command: ReadonlyArray<string>;
  readonly env: Readonly<Record<string, string>>;
  readonly retries?: number;
  readonly timeout?: number;
  readonly needs?: ReadonlyArray<string>;
  readonly priority?: number;
}

export interface Tasks {
  readonly lines: ReadonlyArray<TaskLine>;
  readonly endings: ReadonlyMap<string, Ending>;
}

/**
 * What every command does: it writes to the ledger when it begins, while it takes its time, and when it ends. Each
 * line is one O_APPEND write, so the order of the lines is the order of what happened, in whichever process.
 */
const script = `say() { printf '%s %s %s %s %s\\n' "$1" "$TASKWRIGHT_TASK" "$TASKWRIGHT_ATTEMPT" "$$" "$(date +%s%3N)" >> "$LEDGER"; }
say begin
case "$1" in
  fail) say fail; exit 1 ;;
  flaky) [ "$(grep -c "^begin $TASKWRIGHT_TASK " "$LEDGER")" -gt "$2" ] || { say fail; exit 1; } ;;
  slow) i=0; while [ "$i" -lt "$2" ]; do sleep 0.05; say tick; i=$((i + 1)); done ;;
  hang) while :; do sleep 0.2; say tick; done ;;
esac
say end
`;

/** How many there are of each kind; 50 together. */
const counts = { ok: 22, slow: 4, flaky: 6, fail: 4, hang: 3, after: 6, afterSlow: 2, afterFailure: 3 };

/** The tasks of a case, a mixture in an order that the seed gives. */
export const makeTasks = (folder: string, seed: number): Tasks => {
  const { between, pick, unit } = random(seed);
  const program = join(folder, "work.sh");
  const env = { LEDGER: join(folder, "ledger.log") };
  const endings = new Map<string, Ending>();
  const lines: Array<TaskLine> = [];
  const add = (kind: string, count: number, ending: Ending, make: () => { readonly words: ReadonlyArray<string> } & Omit<TaskLine, "id" | "command" | "env">) => {
    for (let n = 1; n <= count; n++) {
      const { words, ...rest } = make();
      const id = `${kind}-${n}`;
      lines.push({ id, command: ["sh", program, ...words], env, priority: between(-1, 1), ...rest });
      endings.set(id, ending);
    }
  };
  const some = (kind: keyof typeof counts) => `${kind}-${between(1, counts[kind])}`;
  add("ok", counts.ok, "done", () => ({ words: ["ok"] }));
  add("slow", counts.slow, "done", () => ({ words: ["slow", String(between(4, 10))], priority: 1 }));
  add("flaky", counts.flaky, "done", () => ({ words: ["flaky", "1"], retries: 2, priority: 1 }));
  add("fail", counts.fail, "dead", () => ({ words: ["fail"], retries: pick([0, 1]), priority: 1 }));
  add("hang", counts.hang, "dead", () => ({ words: ["hang"], timeout: 0.25, retries: pick([0, 1]), priority: 1 }));
  add("after", counts.after, "done", () => ({ words: ["ok"], needs: [...new Set([some("ok"), some(pick(["ok", "flaky"]))])] }));
  add("afterSlow", counts.afterSlow, "done", () => ({ words: ["ok"], needs: [some("slow"), some("after")] }));
  add("afterFailure", counts.afterFailure, "cancelled", () => ({ words: ["ok"], needs: [some("ok"), some(pick(["fail", "hang"]))] }));
  // Any order of lines must do.
  const shuffled = lines.map((line) => ({ line, at: unit() })).sort((left, right) => left.at - right.at);
  return { lines: shuffled.map(({ line }) => line), endings };
};

/** Writes the task file, the program that its commands run, and what the checker expects. */
export const writeTasks = (folder: string, { lines, endings }: Tasks): string => {
  writeFileSync(join(folder, "work.sh"), script);
  const file = join(folder, "tasks.jsonl");
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  writeFileSync(join(folder, "endings.json"), JSON.stringify([...endings]));
  return file;
};
