/*
 * What the engine costs beside what it can't do without. In one process and one run:
 *   (a) a bare loop: the same pure step for the same machine and events, plus raw SQLite rows (one history row and one
 *       state upsert per transition), committed as often as the engine commits; no receipts, no recovery, no ownership;
 *   (b) the engine through its public API, one promise per event.
 * Both with synchronous=FULL on a file. Rounds alternate, and the ratio b/a of each pair is what counts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { define, encode, start, step } from "../src/actor/index.ts";
import { openEngine } from "../src/engine/index.ts";
import { flow, type FlowEvent } from "./flow.ts";
import { openRaw } from "./raw.ts";
import { type Figure, median } from "./report.ts";

const seconds = (from: number) => (performance.now() - from) / 1000;
const stepsPerTask = 5;
const events: ReadonlyArray<FlowEvent> = [{ type: "PICK" }, { type: "PACK", by: "anna" }, { type: "SHIP", carrier: "road" }, { type: "DELIVER" }, { type: "CLOSE" }];

/** Transitions per second of the bare loop with `inFlight` tasks at a time, one commit per round of events. */
const bare = async (folder: string, tasks: number, inFlight: number): Promise<number> => {
  const raw = await openRaw(join(folder, `bare-${Math.random()}.db`));
  raw.exec("pragma journal_mode=wal; pragma synchronous=full; pragma wal_autocheckpoint=8000;");
  raw.exec(
    "create table history(id integer primary key, actor integer not null, seq integer not null, at integer not null, type text not null, event text not null, unique(actor, seq));" +
      "create table states(actor integer primary key, seq integer not null, at integer not null, state text not null);",
  );
  const definition = define(flow);
  const history = "insert into history(actor, seq, at, type, event) values(?,?,?,?,?)";
  const upsert = "insert into states(actor, seq, at, state) values(?,?,?,?) on conflict(actor) do update set seq=excluded.seq, at=excluded.at, state=excluded.state";
  const begin = "begin immediate";
  const commit = "commit";
  const from = performance.now();
  let stored = 0;
  for (let first = 0; first < tasks; first += inFlight) {
    const states = Array.from({ length: Math.min(inFlight, tasks - first) }, (_, i) => start(definition, `flow/${first + i}`, undefined, { customer: `c${i}` }, Date.now()).state);
    for (let round = 0; round <= events.length; round++) {
      raw.run(begin);
      const at = Date.now();
      for (let i = 0; i < states.length; i++) {
        const event = round === 0 ? { type: "start", input: { customer: `c${i}` } } : (events[round - 1] as FlowEvent);
        if (round > 0) states[i] = step(definition, states[i] as never, event, at).state;
        raw.run(history, first + i, round + 1, at, event.type, JSON.stringify(event));
        raw.run(upsert, first + i, round + 1, at, encode(states[i] as never));
        stored++;
      }
      raw.run(commit);
    }
  }
  const rate = stored / seconds(from);
  raw.close();
  return rate;
};

/** The same through the engine: each task starts, then takes its events one after another; `inFlight` tasks at a time. */
const engine = async (folder: string, tasks: number, inFlight: number): Promise<number> => {
  const opened = await openEngine({ database: join(folder, `engine-${Math.random()}.db`), machines: [flow] });
  const from = performance.now();
  let next = 0;
  const runner = async () => {
    for (let id = next++; id < tasks; id = next++) {
      const { address } = await opened.start("flow", String(id), { customer: `c${id % inFlight}` });
      for (const event of events) await opened.send(address, event);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, runner));
  const rate = (tasks * (stepsPerTask + 1)) / seconds(from);
  await opened.close();
  return rate;
};

export const core = async (options: { readonly rounds: number; readonly tasks: number; readonly alone: number }): Promise<ReadonlyArray<Figure>> => {
  const folder = mkdtempSync(join(tmpdir(), "taskwright-bench-"));
  try {
    const figures: Array<Figure> = [];
    const compare = async (name: string, tasks: number, inFlight: number) => {
      const pairs: Array<{ a: number; b: number }> = [];
      for (let round = 0; round <= options.rounds; round++) {
        const a = await bare(folder, tasks, inFlight);
        const b = await engine(folder, tasks, inFlight);
        if (round > 0) pairs.push({ a, b }); // the first pair warms up
      }
      figures.push(
        { name: `core.${name}.bare`, value: median(pairs.map((pair) => pair.a)), unit: "transitions/s" },
        { name: `core.${name}.engine`, value: median(pairs.map((pair) => pair.b)), unit: "transitions/s" },
        { name: `core.${name}.ratio`, value: median(pairs.map((pair) => pair.b / pair.a)), unit: "b/a" },
      );
    };
    await compare("flight100", options.tasks, 100);
    await compare("alone", options.alone, 1);
    return figures;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
