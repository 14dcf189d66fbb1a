import { assign, emit, log, raise, setup } from "xstate";
import { act } from "./observer.ts";

/** What a machine says: emitted events, log lines, custom actions with fixed and computed parameters, in order. */
export const bell = setup({
  types: {} as {
    context: { strokes: number; muted: boolean };
    events: { type: "STRIKE"; times: number } | { type: "MUTE" | "UNMUTE" | "TUNE" };
    emitted: { type: "rang"; strokes: number } | { type: "muted" };
  },
  actions: {
    strike: assign({ strokes: ({ context }, params: { times: number }) => (context.strokes + params.times) % 24 }),
    swing: act("swing"),
    polish: act("polish"),
    announce: emit({ type: "muted" }),
    tell: log(({ context }) => `strokes ${context.strokes}`, "bell"),
  },
}).createMachine({
  id: "bell",
  context: { strokes: 0, muted: false },
  initial: "hanging",
  states: {
    hanging: {
      entry: { type: "swing", params: { force: 1 } },
      on: {
        STRIKE: {
          actions: [
            { type: "swing", params: ({ context, event }: { context: { strokes: number }; event: { times: number } }) => ({ force: event.times, after: context.strokes }) },
            { type: "strike", params: ({ event }) => ({ times: event.times }) },
            emit(({ context }) => ({ type: "rang", strokes: context.strokes })),
            "tell",
            "polish",
            { type: "polish", params: { deep: { list: [1, "two", null, { three: true }] } } },
          ],
        },
        MUTE: { target: "muted", actions: [assign({ muted: true }), "announce", emit({ type: "muted" })] },
        TUNE: { actions: [log("tuning"), { type: "polish", params: undefined }] },
      },
    },
    muted: { exit: ["polish", "announce"], on: { UNMUTE: { target: "hanging", actions: assign({ muted: false }) }, STRIKE: { actions: log(({ event }) => ({ ignored: event.times })) } } },
  },
});

/** Data: input, optional keys, lists and records that grow and shrink, final states of a parallel root, an output with all of it. */
export const survey = setup({
  types: {} as {
    context: {
      title: string;
      note?: string | undefined;
      scores: Readonly<Record<string, number | undefined>>;
      log: ReadonlyArray<{ readonly at: number; readonly what: string; readonly by?: string | undefined }>;
      flag: boolean | null;
    };
    input: { title: string } | undefined;
    events: { type: "SCORE"; who: string; score: number } | { type: "NOTE"; text?: string } | { type: "FLAG" | "UNSCORE" | "CLOSE_ONE" | "CLOSE_TWO" | "REOPEN" };
    output: unknown;
  },
  actions: {
    score: assign({
      scores: ({ context, event }) => (event.type === "SCORE" ? { ...context.scores, [event.who]: event.score } : context.scores),
      log: ({ context, event }) => [...context.log, { at: context.log.length, what: event.type, by: event.type === "SCORE" ? event.who : undefined }].slice(-5),
    }),
    unscore: assign({ scores: ({ context }) => ({ ...context.scores, ann: undefined }) }),
    note: assign({ note: ({ event }) => (event.type === "NOTE" ? event.text : undefined) }),
    flip: assign({ flag: ({ context }) => (context.flag === null ? true : context.flag ? false : null) }),
  },
}).createMachine({
  id: "survey",
  context: ({ input }) => ({ title: input?.title ?? "untitled", note: undefined, scores: {}, log: [], flag: null }),
  type: "parallel",
  output: ({ context }: { context: { scores: Readonly<Record<string, number | undefined>> } }) => ({
    ...context,
    sum: Object.values(context.scores).reduce<number>((sum, score) => sum + (score ?? 0), 0),
  }),
  on: { SCORE: { actions: "score" }, NOTE: { actions: ["note", raise({ type: "FLAG" })] }, FLAG: { actions: "flip" }, UNSCORE: { actions: "unscore" } },
  states: {
    one: { initial: "open", states: { open: { on: { CLOSE_ONE: "closing" } }, closing: { on: { REOPEN: "open", CLOSE_TWO: "closed" } }, closed: { type: "final" } } },
    two: { initial: "open", states: { open: { on: { CLOSE_TWO: "closing" } }, closing: { on: { REOPEN: "open", CLOSE_ONE: "closed" } }, closed: { type: "final" } } },
  },
});
