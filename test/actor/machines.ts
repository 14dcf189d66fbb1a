import type { AnyStateMachine } from "xstate";
import { checkout, payment } from "./machines/activities.ts";
import { desk, editor, light, player, sorter, wizard } from "./machines/charts.ts";
import { fleet, looper, quartet, switchboard } from "./machines/charts-more.ts";
import { clerk, crew, order } from "./machines/families.ts";
import { lease, reminder } from "./machines/timers.ts";
import { bell, survey } from "./machines/words.ts";

export interface Told {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** A machine with what a walk may tell it. Events that no state takes belong in as well. */
export interface Fixture {
  readonly machine: AnyStateMachine;
  readonly events: ReadonlyArray<Told>;
  readonly inputs?: ReadonlyArray<unknown>;
  /** What children may be told, by the name of their source. */
  readonly childEvents?: Readonly<Record<string, ReadonlyArray<Told>>>;
  /** What activities may return. */
  readonly outputs?: ReadonlyArray<unknown>;
  /** False where a live actor is known to differ: its regions move in the order of their last entry. */
  readonly live?: false;
}

const told = (...types: ReadonlyArray<string>): ReadonlyArray<Told> => types.map((type) => ({ type }));
const machine = (it: unknown): AnyStateMachine => it as AnyStateMachine;
const workerEvents = [{ type: "WORK", amount: 7 }, ...told("REST", "LEAVE")];

export const fixtures: ReadonlyArray<Fixture> = [
  { machine: machine(light), events: [...told("GO", "STOP", "BREAK", "MEND"), { type: "CAR", count: 1 }, { type: "CAR", count: 5 }] },
  { machine: machine(wizard), events: [...told("NEXT", "BACK", "FINISH", "GIVE_UP"), { type: "ANSWER", text: "yes" }, { type: "ANSWER", text: "no" }], inputs: [undefined, { name: "Ada" }] },
  { machine: machine(desk), events: told("MORNING", "EVENING", "TOGGLE", "CALL", "HANG_UP", "CLOSE") },
  { machine: machine(player), events: told("PLAY", "PAUSE", "NEXT", "AD", "LOUDER", "EJECT", "RESUME") },
  { machine: machine(editor), events: told("OPEN", "FRESH", "CLOSE", "BOLD", "PLAIN", "HEAVIER", "ZOOM", "FULL") },
  { machine: machine(sorter), events: [...[1, 2, 4, 10, 13, 200].map((weight) => ({ type: "PUT", weight })), ...told("TAKE", "AGAIN")] },
  { machine: machine(switchboard), events: told("call.in", "call.out", "call.in.urgent", "call", "reset", "fax", "call.in.urgent.now") },
  { machine: machine(looper), events: told("INNER", "LAP", "TARGETLESS", "STEP", "SELF", "INTO", "OUT") },
  { machine: machine(fleet), events: told("RUSH", "SAIL", "TURN", "ANCHOR", "NORTH", "SOUTH", "LAND", "HALF") },
  { machine: machine(quartet), events: told("PLAY", "REST", "AGAIN", "LOUD", "SOFT", "STEAL", "LEAVE"), live: false },
  { machine: machine(lease), events: told("TAKE", "RENEW", "DROP", "FAIL", "PEEK") },
  { machine: machine(reminder), events: [{ type: "SET", in: 25 }, { type: "SET", in: 90 }, { type: "RING", loud: false }, ...told("CANCEL", "TICK", "POKE", "STOP", "GO", "CHAIN")] },
  { machine: machine(payment), events: [{ type: "ADD", price: 3 }, ...told("PAY", "RETRY", "CANCEL", "REFUND")], outputs: [{ total: 1 }, { total: 50 }] },
  { machine: machine(checkout), events: told("START", "ABORT", "AGAIN", "SKIP"), outputs: [7, undefined] },
  { machine: machine(order), events: [...told("SHIP", "HURRY", "CANCEL", "AGAIN", "LABEL"), { type: "MOVED", km: 1 }], childEvents: { parcel: told("HURRY", "LABEL", "BYE", "LOSE") } },
  {
    machine: machine(crew),
    events: [...told("HIRE", "HIRE_UNNAMED", "CHIEF", "FIRE", "FIRE_CHIEF", "ERRAND", "CLOSE"), { type: "WORK", amount: 3 }, { type: "WORK", amount: 9 }],
    childEvents: { worker: workerEvents },
    outputs: ["bread", undefined],
  },
  { machine: machine(clerk), events: [{ type: "PAPER", pages: 2 }, ...told("STAMP", "CLEAR", "DELEGATE", "BRIEFLY", "LATER", "NOW")], childEvents: { worker: workerEvents } },
  { machine: machine(bell), events: [{ type: "STRIKE", times: 1 }, { type: "STRIKE", times: 12 }, ...told("MUTE", "UNMUTE", "TUNE")] },
  {
    machine: machine(survey),
    events: [
      { type: "SCORE", who: "ann", score: 3 },
      { type: "SCORE", who: "bob", score: -1.5 },
      { type: "NOTE", text: "hm" },
      { type: "NOTE" },
      ...told("FLAG", "UNSCORE", "CLOSE_ONE", "CLOSE_TWO", "REOPEN"),
    ],
    inputs: [undefined, { title: "Bells" }],
  },
];
