import { assign, setup } from "xstate";

/**
 * The time travel of one history: which entry is shown, and whether it goes on by itself.
 *
 *   paused ──PLAY──▶ playing ──after pace──▶ playing (the next entry) ──at the end──▶ paused
 *   any ──JUMP, STEP──▶ paused
 */
export interface PlayerContext {
  readonly seq: number;
  readonly first: number;
  readonly last: number;
  /** Entries per second. */
  readonly speed: number;
}
export type PlayerEvent =
  | { readonly type: "PLAY" }
  | { readonly type: "PAUSE" }
  | { readonly type: "STEP"; readonly by: number }
  | { readonly type: "JUMP"; readonly to: number }
  | { readonly type: "SPEED"; readonly speed: number }
  /** The history has grown, or its length is known at last. */
  | { readonly type: "BOUNDS"; readonly first: number; readonly last: number };

const within = ({ first, last }: PlayerContext, seq: number): number => Math.max(first, Math.min(last, seq));

export const player = setup({
  types: { context: {} as PlayerContext, events: {} as PlayerEvent, input: {} as { readonly seq: number } },
  guards: {
    isAtEnd: ({ context }) => context.seq >= context.last,
    wasAtEnd: ({ context }) => context.seq >= context.last,
  },
  actions: {
    next: assign({ seq: ({ context }) => within(context, context.seq + 1) }),
    rewind: assign({ seq: ({ context }) => context.first }),
    step: assign({ seq: ({ context, event }) => (event.type === "STEP" ? within(context, context.seq + event.by) : context.seq) }),
    jump: assign({ seq: ({ context, event }) => (event.type === "JUMP" ? within(context, event.to) : context.seq) }),
    setSpeed: assign({ speed: ({ context, event }) => (event.type === "SPEED" ? event.speed : context.speed) }),
    setBounds: assign(({ context, event }) => {
      if (event.type !== "BOUNDS") return {};
      const bounds = { ...context, first: event.first, last: event.last };
      return { ...bounds, seq: context.seq === 0 ? event.last : within(bounds, context.seq) };
    }),
  },
  delays: { pace: ({ context }) => 1_000 / context.speed },
}).createMachine({
  id: "player",
  version: "1",
  description: "The time travel of one history.",
  context: ({ input }) => ({ seq: input.seq, first: 1, last: input.seq, speed: 4 }),
  initial: "paused",
  on: {
    SPEED: { actions: "setSpeed" },
    BOUNDS: { actions: "setBounds" },
    JUMP: { target: ".paused", actions: "jump" },
    STEP: { target: ".paused", actions: "step" },
  },
  states: {
    paused: {
      description: "One entry is shown until somebody says otherwise.",
      on: { PLAY: [{ guard: "wasAtEnd", target: "playing", actions: "rewind" }, { target: "playing" }] },
    },
    playing: {
      description: "Goes on by itself, up to the end.",
      always: { guard: "isAtEnd", target: "paused" },
      after: { pace: { target: "playing", reenter: true, actions: "next" } },
      on: { PAUSE: "paused" },
    },
  },
});
