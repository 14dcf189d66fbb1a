import { type Entry, movesOf as allMoves, type Surroundings, type Waiting, whyWaiting } from "../analysis/index.ts";
import type { ActorView } from "../engine/index.ts";
import type { Move, Reason } from "./wire.ts";

/** What can be told to an actor where it stands. What the engine itself tells is left out, and so is what would be ignored. */
export const movesOf = (entry: Entry, view: ActorView): ReadonlyArray<Move> =>
  allMoves(entry, view).flatMap(({ type, accepted, asked, schema, reason, from }) =>
    accepted === "no" || type.includes("*") || type.startsWith("taskwright.") || type.startsWith("xstate.")
      ? []
      : [
          {
            event: type,
            accepted,
            edges: asked.map(({ edge }) => edge),
            ...(reason === undefined ? {} : { reason }),
            ...(from === undefined ? {} : { from }),
            ...(schema === undefined ? {} : { schema }),
          },
        ],
  );

/** What an actor waits for: the sentence first, then what can be followed. */
export const waitingOf = (view: ActorView, surroundings: Surroundings): { readonly verdict: Waiting["verdict"]; readonly reasons: ReadonlyArray<Reason> } => {
  const { verdict, because, by, deadlines, children } = whyWaiting(view, surroundings);
  const reasons: ReadonlyArray<Reason> = [
    { text: `${because[0]?.toUpperCase() ?? ""}${because.slice(1)}.`, ...(by === undefined ? {} : { until: by }) },
    ...deadlines
      .filter(({ due }) => due !== by)
      .map(({ name, due, held }) => ({ text: held === true ? `The deadline ${name} is held: its transition threw. Requeue its dead letter.` : `The deadline ${name}.`, until: due })),
    ...children.map(({ id, address, missing, waiting }) => ({
      text: missing === true ? `Its child ${id} has ended, and it was not told.` : `Its child ${id}${waiting === undefined ? "" : `: ${waiting.because}`}.`,
      address,
    })),
  ];
  return { verdict, reasons };
};
