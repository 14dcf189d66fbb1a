import { type Command, encode, type Microstep, parseState, type StoredState, traceOf } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import type { Outcome } from "../domain/envelope.ts";
import type { Event } from "../domain/event.ts";
import type { SentEvent } from "../engine/index.ts";
import { type CommandDifference, commandDifferences } from "./command-differences.ts";
import { MachineMissing, ReplayDiffers, WhatIfRefused } from "./errors.ts";
import { type FieldDifference, fieldDifferences } from "./fields.ts";
import { formsOf, type Machines } from "./forms.ts";
import type { History } from "./history.ts";
import { Recorded } from "./recorded.ts";
import { type Answer, type Mark, type MarkedInput, retell, type StandIn, type Tale } from "./retell.ts";
import { stepThrough } from "./step-through.ts";

/** One entry that is told differently. */
export interface Swap {
  readonly seq: number;
  /** Of an event from outside: this one in its place. */
  readonly event?: SentEvent;
  /** Of the answer of a child: what it answers instead. */
  readonly output?: unknown;
  readonly error?: unknown;
  /** Milliseconds by which it comes later; below 0: earlier. */
  readonly delayMs?: number;
  /** It does not come at all. */
  readonly drop?: boolean;
}

/** Something that was never told. */
export interface Addition {
  readonly event: SentEvent;
  /** Behind this entry. Default: behind the last one that is kept. */
  readonly after?: number;
  /** Milliseconds after that entry. Default 0. */
  readonly delayMs?: number;
}

/** What might have been. */
export interface WhatIf {
  /** From this entry on nothing comes from outside but what is added. Default: everything comes as it came. */
  readonly at?: number;
  readonly swap?: ReadonlyArray<Swap>;
  readonly add?: ReadonlyArray<Addition>;
  /** What activities and children answer that did not answer then, or were asked for something else: by their name in `setup({ actors })`. */
  readonly standIns?: Readonly<Record<string, StandIn>>;
  /** It goes on until nothing is due any more, at most so many milliseconds after the last event. Default: a year. */
  readonly restMs?: number;
}

/** One event of what might have been. */
export interface ForkStep {
  /** The entry that it stands for; absent where there was none. */
  readonly seq?: number;
  readonly at: number;
  readonly event: SentEvent;
  readonly outcome: Outcome;
  readonly after: StoredState;
  readonly commands: ReadonlyArray<Command>;
  /** Which transitions were taken. */
  readonly microsteps: ReadonlyArray<Microstep>;
  /** What the machine threw on it: its state is the one before. */
  readonly threw?: string;
  /** Why it is a guess, if it is. */
  readonly mark?: Mark;
}

/** What might have been, and in what it is not what was. */
export interface Fork {
  readonly address: Address;
  readonly steps: ReadonlyArray<ForkStep>;
  readonly state: StoredState;
  /** The first entry that is told differently, or leads elsewhere; absent where all is as it was. */
  readonly apart?: number;
  /** `left`: as it was in the end, `right`: as it might have been. */
  readonly fields: ReadonlyArray<FieldDifference>;
  /** What would have been asked for that was not, and the reverse, over all. */
  readonly commands: ReadonlyArray<CommandDifference>;
  /** Entries that nobody would have asked for. */
  readonly unasked: ReadonlyArray<number>;
  /** Children that wait for an answer which nobody knows, by id with their source: give a stand-in. */
  readonly open: Readonly<Record<string, string>>;
  /** Nothing is due any more. */
  readonly isAtRest: boolean;
}

const yearMs = 365 * 24 * 60 * 60 * 1000;

/**
 * Tells a history again with something changed: another answer, a failure, a delay, an event that came or did not. In no time,
 * with what children answered then, or stand-ins. Nothing real is touched. Throws `WhatIfRefused`, `MachineMissing`, and
 * `ReplayDiffers` where the machine is not the one that wrote the history.
 */
export const fork = (history: History, machines: Machines, whatIf: WhatIf = {}): Fork => {
  const { address } = history;
  const { definition, recorded } = recordedOf(history, machines);
  const { at, standIns, restMs = yearMs } = whatIf;
  const answers = new Map<number, Answer | undefined>();
  let inputs: ReadonlyArray<MarkedInput> = recorded.inputs;
  for (const swap of whatIf.swap ?? []) {
    const answer = recorded.answer(swap.seq);
    if (answer !== undefined) answers.set(swap.seq, swappedAnswer(address, swap, answer));
    else inputs = swappedInputs(address, swap, inputs);
  }
  if (at !== undefined) inputs = inputs.filter(({ seq }) => seq <= at);
  const added = (whatIf.add ?? []).map(({ event, after = at, delayMs = 0 }, index): MarkedInput => {
    const seq = after ?? recorded.steps.at(-1)?.entry.seq ?? 0;
    const entry = recorded.steps.find((step) => step.entry.seq === seq)?.entry;
    if (entry === undefined) throw new WhatIfRefused({ address, seq, detail: "there is no such entry behind which something could come" });
    return { seq: 0, at: entry.at + delayMs, order: seq + (index + 1) / 1_000, event: event as Event, from: "", outcome: "handled", mark: "changed" };
  });
  const tale = retell(definition, history, recorded, { inputs: [...inputs, ...added], answers, standIns, restMs });
  return { ...shown(address, tale), ...difference(recorded, tale) };
};

/** What wrote a history, and the history taken apart. */
export const recordedOf = (history: History, machines: Machines) => {
  const { address, machine, version, hash } = history;
  const forms = formsOf(machines);
  const definition = forms.of(hash);
  if (definition === undefined) throw new MachineMissing({ address, machine, version, known: forms.known });
  const steps = [...stepThrough(history, { forms, only: definition })];
  const wrong = steps.find((step) => step.wrong.length > 0);
  if (wrong !== undefined) throw new ReplayDiffers({ address, seq: wrong.entry.seq, detail: wrong.wrong[0]?.detail ?? "" });
  return { definition, recorded: new Recorded(steps) };
};

const swappedAnswer = (address: Address, { seq, event, output, error, delayMs = 0, drop }: Swap, then: NonNullable<ReturnType<Recorded["answer"]>>): Answer | undefined => {
  if (event !== undefined) throw new WhatIfRefused({ address, seq, detail: "it is the answer of a child: give an output, an error or a delay" });
  if (drop === true) return undefined;
  const afterMs = Math.max(0, then.afterMs + delayMs);
  if (error !== undefined) return { error, afterMs };
  if (output !== undefined) return { output, afterMs };
  return then.event.type === "taskwright.error" ? { error: then.event.error, afterMs } : { output: then.event.output, afterMs };
};

const swappedInputs = (address: Address, { seq, event, output, error, delayMs = 0, drop }: Swap, inputs: ReadonlyArray<MarkedInput>): ReadonlyArray<MarkedInput> => {
  const input = inputs.find((one) => one.seq === seq);
  if (input === undefined) throw new WhatIfRefused({ address, seq, detail: "it is none that came from outside: what follows from the machine (a deadline, say) can't be swapped" });
  if (output !== undefined || error !== undefined) throw new WhatIfRefused({ address, seq, detail: "it is no answer of a child: give an event, or a delay" });
  if (input.event.type === "taskwright.start" && (drop === true || (event !== undefined && event.type !== "taskwright.start")))
    throw new WhatIfRefused({ address, seq, detail: "without its start there is nothing: swap it for a taskwright.start with another input" });
  return inputs.flatMap((one): ReadonlyArray<MarkedInput> => {
    if (one !== input) return [one];
    return drop === true ? [] : [{ ...one, at: one.at + delayMs, event: (event as Event | undefined) ?? one.event, mark: "changed" }];
  });
};

const shown = (address: Address, { told, state, unasked, open, isAtRest }: Tale) => {
  if (state === undefined) throw new WhatIfRefused({ address, seq: 1, detail: `it could not be started: ${told[0]?.threw ?? "there is no start"}` });
  const steps = told.map(({ seq, at, event, outcome, after, commands, microsteps, threw, mark }): ForkStep => {
    const stored = parseState(encode(after ?? state));
    return {
      ...(seq === undefined ? {} : { seq }),
      at,
      event: event as SentEvent,
      outcome,
      after: stored,
      commands,
      microsteps: traceOf(microsteps),
      ...(threw === undefined ? {} : { threw }),
      ...(mark === undefined ? {} : { mark }),
    };
  });
  return { address, steps, state: parseState(encode(state)), unasked, open, isAtRest };
};

const difference = ({ steps }: Recorded, { told, state }: Tale): Pick<Fork, "apart" | "fields" | "commands"> => {
  const then = steps.filter(({ entry }) => entry.event.type !== "taskwright.migrate");
  const index = then.findIndex(({ entry, after }, place) => {
    const now = told[place];
    return (
      now === undefined || now.seq !== entry.seq || now.mark === "changed" || now.outcome !== entry.outcome || now.after === undefined || after === undefined || encode(now.after) !== encode(after)
    );
  });
  const apart = index >= 0 ? then[index]?.entry.seq : told[then.length] === undefined ? undefined : (then.at(-1)?.entry.seq ?? 0) + 1;
  const last = then.at(-1)?.after;
  return {
    ...(apart === undefined ? {} : { apart }),
    fields: last === undefined || state === undefined ? [] : fieldDifferences(JSON.parse(encode(last)), JSON.parse(encode(state))),
    commands: commandDifferences(
      then.flatMap(({ commands }) => commands),
      told.flatMap(({ commands }) => commands),
    ),
  };
};
