import * as Effect from "effect/Effect";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { ActorState, Command, Step } from "../../src/actor/index.ts";
import type { Journal } from "../../src/journal/index.ts";
import { search } from "./search.ts";

/** What stands in the place of the engine's own functions. */
interface Planted {
  step?: (taken: Step, before: ActorState) => Step;
  event?: (event: { readonly type: string }, state: ActorState) => { readonly type: string };
  decode?: (state: ActorState) => ActorState;
  wrap?: (journal: Journal) => Journal;
}
const planted = vi.hoisted((): { now: Planted } => {
  // Files share their modules: without this the engine that an earlier file loaded would be searched, in which nothing can be planted.
  vi.resetModules();
  return { now: {} };
});

vi.mock("../../src/actor/index.ts", async (importOriginal) => {
  const actor = await importOriginal<typeof import("../../src/actor/index.ts")>();
  return {
    ...actor,
    start: (...args: Parameters<typeof actor.start>) => {
      const taken = actor.start(...args);
      return planted.now.step?.(taken, { ...taken.state, timers: {}, children: {} }) ?? taken;
    },
    step: (...[definition, state, event, at]: Parameters<typeof actor.step>) => {
      const taken = actor.step(definition, state, (planted.now.event?.(event, state) as typeof event | undefined) ?? event, at);
      return planted.now.step?.(taken, state) ?? taken;
    },
    decode: (...args: Parameters<typeof actor.decode>) => {
      const state = actor.decode(...args);
      return planted.now.decode?.(state) ?? state;
    },
  };
});

const withCommands = (change: (commands: ReadonlyArray<Command>) => ReadonlyArray<Command>): Planted => ({ step: (taken) => ({ ...taken, commands: change(taken.commands) }) });
const withSnapshot = (change: Record<string, unknown>): Planted => ({ decode: (state) => ({ ...state, snapshot: { ...state.snapshot, ...change } as never }) });

const bugs: ReadonlyArray<readonly [bug: string, plant: Planted]> = [
  ["forgets what history states remember when it decodes", withSnapshot({ historyValue: {} })],
  ["forgets tags when it decodes", withSnapshot({ tags: new Set() })],
  ["forgets who its children are when it decodes", { decode: (state) => ({ ...state, snapshot: { ...state.snapshot, children: {} } as never }) }],
  [
    "keeps the earlier deadline when an id is set again",
    {
      step: (taken, before) => {
        const again = Object.entries(before.timers).filter(([id, timer]) => taken.state.timers[id] !== undefined && taken.state.timers[id]?.token !== timer.token);
        return again.length === 0
          ? taken
          : { ...taken, state: { ...taken.state, timers: { ...taken.state.timers, ...Object.fromEntries(again.map(([id, timer]) => [`${id} again`, { event: { type: id }, ...timer }])) } } };
      },
    },
  ],
  [
    "keeps a deadline that was cancelled",
    {
      step: (taken, before) =>
        taken.state.snapshot.status === "active" && Object.keys(before.timers).length > 0 ? { ...taken, state: { ...taken.state, timers: { ...before.timers, ...taken.state.timers } } } : taken,
    },
  ],
  [
    "applies the completion of an earlier child",
    {
      event: (event, state) => {
        const { child } = event as { child?: string };
        const known = child === undefined ? undefined : state.children[child];
        return (event.type === "taskwright.done" || event.type === "taskwright.error") && known !== undefined ? ({ ...event, token: known.token } as typeof event) : event;
      },
    },
  ],
  ["loses what is sent to a child that is about to start", withCommands((commands) => commands.filter((command) => command.type !== "send" || command.early === undefined))],
  ["sends in the wrong order", withCommands((commands) => commands.toReversed())],
  ["never stops a child", withCommands((commands) => commands.filter(({ type }) => type !== "child.stop"))],
  ["emits twice", withCommands((commands) => commands.flatMap((command): ReadonlyArray<Command> => (command.type === "emit" ? [command, command] : [command])))],
  ["loses the output", { step: (taken) => ({ ...taken, state: { ...taken.state, snapshot: { ...taken.state.snapshot, output: undefined } as never } }) }],
  ["does not store when it wants to be woken", { wrap: (journal) => ({ ...journal, commit: (turn) => journal.commit({ ...turn, wakes: [] }) }) }],
  ["finds nobody below a parent again", { wrap: (journal) => ({ ...journal, actors: (addresses) => Effect.map(journal.actors(addresses), (rows) => rows.filter(({ parent }) => parent === 0)) }) }],
];

describe("fuzz > planted bugs", () => {
  beforeAll(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
  afterAll(() => void vi.resetModules());
  afterEach(() => {
    planted.now = {};
  });
  for (const [bug, plant] of bugs) {
    test(`an engine that ${bug} is found`, async () => {
      planted.now = plant;
      const { counts, failure } = await search({ machines: 1_000, shrink: false, ...(plant.wrap === undefined ? {} : { wrap: plant.wrap }) });
      expect(failure).toBeDefined();
      if (process.env.FUZZ_SHOW !== undefined) console.log(`${bug}: machine ${counts.machines}, ${failure?.split("\n")[0]}`);
    });
  }
});
