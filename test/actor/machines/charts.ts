import { and, assign, not, or, setup, stateIn } from "xstate";
import { act } from "./observer.ts";

/** Flat: guards in order, an action without a target, a forbidden event, a transition of the root. */
export const light = setup({
  types: {} as { context: { cars: number }; events: { type: "GO" | "STOP" | "BREAK" | "MEND" } | { type: "CAR"; count: number } },
  guards: { isJammed: ({ context }) => context.cars > 8 },
  actions: {
    countCars: assign({ cars: ({ context, event }) => context.cars + (event.type === "CAR" ? event.count : 0) }),
    forgetCars: assign({ cars: 0 }),
    switchLamp: act("switchLamp"),
    honk: act("honk"),
  },
}).createMachine({
  id: "light",
  context: { cars: 0 },
  initial: "red",
  on: { BREAK: ".broken" },
  states: {
    red: { entry: "switchLamp", on: { GO: "green", CAR: [{ guard: "isJammed", target: "green", actions: "forgetCars" }, { actions: ["countCars", "honk"] }] } },
    green: { entry: "switchLamp", exit: "honk", on: { STOP: "red", CAR: {} } },
    broken: { on: { MEND: "red", BREAK: {} } },
  },
});

/** Compound, three levels deep: initial actions, final states with output, nested onDone, an output of the root. */
export const wizard = setup({
  types: {} as {
    context: { name: string; answers: ReadonlyArray<string> };
    events: { type: "NEXT" | "BACK" | "FINISH" | "GIVE_UP" } | { type: "ANSWER"; text: string };
    input: { name: string } | undefined;
    output: { name: string; count: number; verdict: unknown };
  },
  actions: {
    record: assign({ answers: ({ context, event }) => (event.type === "ANSWER" ? [...context.answers, event.text].slice(-3) : context.answers) }),
    recordVerdict: assign({ answers: ({ context }, params: { verdict: string }) => [...context.answers, params.verdict].slice(-3) }),
    greet: act("greet"),
    ask: act("ask"),
  },
}).createMachine({
  id: "wizard",
  context: ({ input }) => ({ name: input?.name ?? "nobody", answers: [] }),
  initial: "form",
  output: ({ context, event }) => ({ name: context.name, count: context.answers.length, verdict: (event as { output?: unknown }).output ?? null }),
  states: {
    form: {
      initial: { target: "who", actions: "greet" },
      on: { GIVE_UP: "left" },
      onDone: { target: "review", actions: { type: "recordVerdict", params: ({ event }) => ({ verdict: String((event as { output?: unknown }).output) }) } },
      states: {
        who: { entry: { type: "ask", params: { what: "name" } }, on: { ANSWER: { actions: "record" }, NEXT: "what" } },
        what: {
          initial: { target: "first", actions: { type: "ask", params: ({ context }: { context: { answers: ReadonlyArray<string> } }) => ({ what: `thing ${context.answers.length}` }) } },
          on: { BACK: "who" },
          onDone: "answered",
          states: {
            first: { on: { ANSWER: { target: "second", actions: "record" } } },
            second: { on: { ANSWER: { target: "enough", actions: "record" }, BACK: "first" } },
            enough: { type: "final" },
          },
        },
        answered: { type: "final", output: ({ context }) => `answers: ${context.answers.join(",")}` },
      },
    },
    review: { on: { BACK: "form.what.second", FINISH: "sent", GIVE_UP: "left" } },
    sent: { type: "final", output: { verdict: "sent" } },
    left: { type: "final" },
  },
});

/** Parallel regions: one event that moves several, tags, stateIn across regions, and the end of all of them. */
export const desk = setup({
  types: {} as { context: { turns: number }; events: { type: "MORNING" | "EVENING" | "TOGGLE" | "CALL" | "HANG_UP" | "CLOSE" } },
  guards: {
    lampIsOn: stateIn({ open: { lamp: "on" } }),
    phoneRings: stateIn("#desk.open.phone.ringing"),
    quiet: and([not("phoneRings"), or(["lampIsOn", ({ context }) => context.turns > 3])]),
  },
  actions: { count: assign({ turns: ({ context }) => context.turns + 1 }), click: act("click"), ring: act("ring") },
}).createMachine({
  id: "desk",
  context: { turns: 0 },
  initial: "open",
  states: {
    open: {
      type: "parallel",
      onDone: "closed",
      states: {
        lamp: {
          initial: "off",
          states: {
            off: { tags: "dark", on: { TOGGLE: { target: "on", actions: ["count", "click"] }, MORNING: "on", CLOSE: "dead" } },
            on: { tags: ["bright", "warm"], on: { TOGGLE: { target: "off", actions: "click" }, EVENING: "off", CLOSE: { guard: not("phoneRings"), target: "dead" } } },
            dead: { type: "final" },
          },
        },
        phone: {
          initial: "idle",
          states: {
            idle: { on: { CALL: [{ guard: "lampIsOn", target: "ringing" }, { target: "missed" }], CLOSE: { guard: "quiet", target: "dead" } } },
            ringing: { tags: "loud", entry: "ring", exit: "click", on: { HANG_UP: "idle" } },
            missed: { on: { MORNING: "idle", HANG_UP: "idle" } },
            dead: { type: "final" },
          },
        },
        door: {
          initial: "locked",
          states: { locked: { on: { MORNING: "ajar" } }, ajar: { tags: ["draughty"], on: { EVENING: "locked", CLOSE: "shut" } }, shut: { type: "final" } },
        },
      },
    },
    closed: { on: { MORNING: "open" } },
  },
});

/** Shallow history, with and without a default target. */
export const player = setup({
  types: {} as { context: { skips: number }; events: { type: "PLAY" | "PAUSE" | "NEXT" | "AD" | "LOUDER" | "EJECT" | "RESUME" } },
  actions: { skip: assign({ skips: ({ context }) => context.skips + 1 }), sound: act("sound") },
}).createMachine({
  id: "player",
  context: { skips: 0 },
  initial: "empty",
  states: {
    empty: { on: { PLAY: "playing.last", RESUME: "playing.lastOrAd" } },
    playing: {
      initial: "song",
      on: { PAUSE: "paused", EJECT: "empty" },
      states: {
        song: {
          initial: "soft",
          entry: "sound",
          on: { NEXT: { target: "song", reenter: true, actions: "skip" }, AD: "ad" },
          states: { soft: { on: { LOUDER: "loud" } }, loud: { on: { LOUDER: "soft" } } },
        },
        ad: { entry: { type: "sound", params: { loud: true } }, on: { NEXT: "song" } },
        last: { type: "history" },
        lastOrAd: { type: "history", history: "shallow", target: "ad" },
      },
    },
    paused: { on: { PLAY: "playing", RESUME: "playing.last" } },
  },
});

/** Deep history over nested and parallel states. */
export const editor = setup({
  types: {} as { context: object; events: { type: "OPEN" | "FRESH" | "CLOSE" | "BOLD" | "PLAIN" | "HEAVIER" | "ZOOM" | "FULL" } },
  actions: { draw: act("draw"), save: act("save") },
}).createMachine({
  id: "editor",
  context: {},
  initial: "closed",
  states: {
    closed: { on: { OPEN: "open.recent", FRESH: "open" } },
    open: {
      type: "parallel",
      exit: "save",
      on: { CLOSE: "closed", OPEN: "closed" },
      states: {
        text: {
          initial: "plain",
          states: {
            plain: { entry: "draw", on: { BOLD: "bold" } },
            bold: {
              initial: "thin",
              on: { PLAIN: "plain", FULL: "#editor.open.zoom.far.full" },
              states: { thin: { entry: "draw", on: { HEAVIER: "heavy" } }, heavy: { exit: "draw" } },
            },
          },
        },
        zoom: {
          initial: "near",
          states: { near: { on: { ZOOM: "far" } }, far: { initial: "half", on: { ZOOM: "near" }, states: { half: { on: { FULL: "full" } }, full: { entry: "draw" } } } },
        },
        recent: { type: "history", history: "deep" },
      },
    },
  },
});

/** Transitions without events: chains, order of guards, and/or/not/stateIn. */
export const sorter = setup({
  types: {} as { context: { weight: number; shelves: number }; events: { type: "PUT"; weight: number } | { type: "TAKE" | "AGAIN" } },
  guards: {
    isHeavy: ({ context }) => context.weight >= 10,
    isOdd: ({ context }) => context.weight % 2 === 1,
    isHeavierThan: ({ context }, params: { limit: number }) => context.weight > params.limit,
    hasRoom: ({ context }) => context.shelves < 4,
    heavyAndEven: and(["isHeavy", not("isOdd")]),
  },
  actions: {
    weigh: assign({ weight: ({ context, event }) => (event.type === "PUT" ? event.weight : context.weight) }),
    shelve: assign({ shelves: ({ context }) => context.shelves + 1 }),
    clear: assign({ shelves: 0 }),
    label: act("label"),
  },
}).createMachine({
  id: "sorter",
  context: { weight: 0, shelves: 0 },
  initial: "idle",
  states: {
    idle: { on: { PUT: { target: "scale", actions: "weigh" } } },
    scale: {
      entry: "label",
      always: [
        { guard: { type: "isHeavierThan", params: { limit: 100 } }, target: "refused" },
        { guard: "heavyAndEven", target: "crate" },
        { guard: or(["isHeavy", and(["isOdd", "hasRoom"])]), target: "shelf" },
      ],
      on: { PUT: { actions: "weigh" }, TAKE: "idle" },
    },
    crate: { on: { TAKE: "idle", AGAIN: "scale" } },
    shelf: {
      initial: "storing",
      states: { storing: { entry: "shelve", always: [{ guard: "hasRoom", target: "stored" }, { target: "full" }] }, stored: {}, full: { exit: "clear" } },
      on: { TAKE: "idle", AGAIN: "scale" },
    },
    refused: { always: { guard: stateIn("refused"), target: "idle", actions: { type: "label", params: ({ context }: { context: { weight: number } }) => ({ refused: context.weight }) } } },
  },
});
