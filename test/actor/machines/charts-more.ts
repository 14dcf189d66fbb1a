import { assign, setup } from "xstate";
import { act } from "./observer.ts";

/** Event descriptors: exact, partial ("a.*") and wildcard, at several levels. */
export const switchboard = setup({
  types: {} as { context: { seen: ReadonlyArray<string> }; events: { type: "call.in" | "call.out" | "call.in.urgent" | "call" | "reset" | "fax" | "call.in.urgent.now" } },
  actions: {
    see: assign({ seen: ({ context }, params: { as: string }) => [...context.seen, params.as].slice(-4) }),
    blink: act("blink"),
  },
}).createMachine({
  id: "switchboard",
  context: { seen: [] },
  initial: "open",
  on: { "*": { actions: { type: "see", params: { as: "anything" } } }, "call.*": { actions: { type: "see", params: { as: "a call" } } } },
  states: {
    open: {
      on: {
        "call.in": { target: "busy", actions: { type: "see", params: { as: "an incoming call" } } },
        "call.in.*": { target: "urgent", actions: "blink" },
        fax: { actions: "blink" },
      },
    },
    busy: { on: { "*": { target: "open", actions: { type: "see", params: ({ event }) => ({ as: `busy: ${event.type}` }) } }, "call.out": {} } },
    urgent: { on: { "call.in.*": [{ guard: ({ context }) => context.seen.length > 2, target: "busy" }], reset: { target: "open", actions: assign({ seen: [] }) } } },
  },
});

/** Re-entering and internal transitions: what leaves and enters its state again, and what does not. */
export const looper = setup({
  types: {} as { context: { laps: number }; events: { type: "INNER" | "LAP" | "TARGETLESS" | "STEP" | "SELF" | "INTO" | "OUT" } },
  actions: { lap: assign({ laps: ({ context }) => (context.laps + 1) % 7 }), enter: act("enter"), leave: act("leave"), touch: act("touch") },
}).createMachine({
  id: "looper",
  context: { laps: 0 },
  initial: "track",
  entry: { type: "enter", params: { state: "root" } },
  on: { OUT: { target: ".pit", reenter: true } },
  states: {
    track: {
      initial: "straight",
      entry: [{ type: "enter", params: { state: "track" } }, "lap"],
      exit: { type: "leave", params: { state: "track" } },
      on: {
        LAP: { target: "track", reenter: true },
        SELF: { target: "track" },
        INNER: { target: ".straight", actions: "touch" },
        INTO: { target: ".curve", reenter: true },
        TARGETLESS: { actions: ["touch", "lap"] },
      },
      states: {
        straight: {
          entry: { type: "enter", params: { state: "straight" } },
          exit: { type: "leave", params: { state: "straight" } },
          on: { STEP: "curve", LAP: { target: "straight", reenter: true } },
        },
        curve: { entry: { type: "enter", params: { state: "curve" } }, exit: { type: "leave", params: { state: "curve" } }, on: { STEP: "#looper.pit" } },
      },
    },
    pit: { entry: { type: "enter", params: { state: "pit" } }, exit: { type: "leave", params: { state: "pit" } }, on: { STEP: "track.curve", LAP: "track" } },
  },
});

/** Transitions into several regions at once, from inside and from outside, and regions that are re-entered alone. */
export const fleet = setup({
  types: {} as { context: { north: ReadonlyArray<string>; south: ReadonlyArray<string>; west: number }; events: { type: "RUSH" | "SAIL" | "TURN" | "ANCHOR" | "NORTH" | "SOUTH" | "LAND" | "HALF" } },
  actions: {
    north: assign({ north: ({ context }, params: { as: string }) => [...context.north, params.as].slice(-4) }),
    south: assign({ south: ({ context }, params: { as: string }) => [...context.south, params.as].slice(-4) }),
    west: assign({ west: ({ context }) => (context.west + 1) % 5 }),
    horn: act("horn"),
  },
}).createMachine({
  id: "fleet",
  context: { north: [], south: [], west: 0 },
  initial: "harbour",
  states: {
    harbour: { on: { RUSH: { target: ["#fleet.sea.north.fast", "#fleet.sea.south.fast.storm"], actions: "horn" }, SAIL: "sea", HALF: { target: ["#fleet.sea.south.slow"] } } },
    sea: {
      type: "parallel",
      on: { RUSH: { target: [".north.fast", ".west.far"] }, LAND: "harbour" },
      states: {
        north: {
          initial: "slow",
          entry: { type: "north", params: { as: "enter" } },
          on: { NORTH: { target: "north", reenter: true }, TURN: { target: ".slow", actions: { type: "north", params: { as: "turn" } } } },
          states: { slow: { on: { SAIL: "fast" } }, fast: { entry: { type: "north", params: { as: "fast" } }, on: { ANCHOR: "slow" } } },
        },
        south: {
          initial: "slow",
          exit: { type: "south", params: { as: "exit" } },
          on: { SOUTH: { target: "south", reenter: true }, TURN: { target: ".slow", actions: { type: "south", params: { as: "turn" } } } },
          states: {
            slow: { on: { SAIL: "fast" } },
            fast: { initial: "calm", on: { ANCHOR: "slow" }, states: { calm: { on: { SAIL: "storm" } }, storm: { entry: { type: "south", params: { as: "storm" } } } } },
          },
        },
        west: { initial: "near", states: { near: { on: { SAIL: { target: "far", actions: "west" } } }, far: { on: { ANCHOR: "near", TURN: { target: "far", reenter: true, actions: "west" } } } } },
      },
    },
  },
});

/**
 * Regions whose common events and eventless transitions don't commute: they append to one list. XState moves them in
 * the order in which they were last entered, an order that it forgets itself when it restores; the step moves them in
 * document order, always. So this machine is compared with XState's pure functions on configurations in document order
 * and not with a live actor.
 */
export const quartet = setup({
  types: {} as { context: { tune: ReadonlyArray<string>; loud: boolean }; events: { type: "PLAY" | "REST" | "AGAIN" | "LOUD" | "SOFT" | "STEAL" | "LEAVE" } },
  guards: { isLoud: ({ context }) => context.loud, isSoft: ({ context }) => !context.loud },
  actions: {
    note: assign({ tune: ({ context }, params: { by: string }) => [...context.tune, params.by].slice(-6) }),
    loud: assign({ loud: true }),
    soft: assign({ loud: false }),
    bow: act("bow"),
  },
}).createMachine({
  id: "quartet",
  context: { tune: [], loud: false },
  type: "parallel",
  on: { LOUD: { actions: "loud" }, SOFT: { actions: "soft" } },
  states: {
    violin: {
      initial: "silent",
      on: { AGAIN: { target: "violin", reenter: true, actions: { type: "note", params: { by: "violin again" } } } },
      states: {
        silent: {
          on: { PLAY: { target: "playing", actions: { type: "note", params: { by: "violin" } } } },
          always: { guard: "isLoud", target: "startled", actions: { type: "note", params: { by: "violin!" } } },
        },
        playing: {
          entry: { type: "bow", params: { who: "violin" } },
          on: { REST: "silent", STEAL: { target: ["#quartet.cello.playing", "#quartet.violin.silent"], actions: { type: "note", params: { by: "violin steals" } } } },
        },
        startled: { always: { guard: "isSoft", target: "silent", actions: { type: "note", params: { by: "violin." } } } },
      },
    },
    cello: {
      initial: "silent",
      on: { AGAIN: { target: "cello", reenter: true, actions: { type: "note", params: { by: "cello again" } } } },
      states: {
        silent: {
          on: { PLAY: { target: "playing", actions: { type: "note", params: { by: "cello" } } } },
          always: { guard: "isLoud", target: "startled", actions: { type: "note", params: { by: "cello!" } } },
        },
        playing: {
          entry: { type: "bow", params: { who: "cello" } },
          on: {
            REST: { target: "silent", actions: { type: "note", params: { by: "cello rests" } } },
            STEAL: { target: ["#quartet.violin.playing"], actions: { type: "note", params: { by: "cello steals" } } },
          },
        },
        startled: { always: { guard: "isSoft", target: "silent", actions: { type: "note", params: { by: "cello." } } } },
      },
    },
    drum: { initial: "still", states: { still: { on: { PLAY: "rolling", LEAVE: "gone" } }, rolling: { on: { REST: { target: "still", reenter: true } } }, gone: { type: "final" } } },
  },
});
