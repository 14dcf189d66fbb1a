import type { AnyStateMachine } from "xstate";
import type { Taken } from "./edges-taken.ts";
import { graphOf } from "./graph-of.ts";
import { mermaidOf } from "./mermaid.ts";
import { scxmlOf } from "./scxml.ts";
import { statelyOf } from "./stately.ts";

/** The forms in which a machine can be shown: a diagram, the standard, the config that Stately's tools read, our own graph. */
export const pictureFormats = ["mermaid", "scxml", "stately", "json"] as const;
export type PictureFormat = (typeof pictureFormats)[number];

/** A machine in one of the forms. What a history took is shown by Mermaid, and stands beside the graph as `taken`. */
export const pictureOf = (machine: AnyStateMachine, format: PictureFormat, taken?: Taken): string => {
  switch (format) {
    case "mermaid":
      return mermaidOf(graphOf(machine), taken);
    case "scxml":
      return scxmlOf(graphOf(machine));
    case "stately":
      return `${JSON.stringify(statelyOf(machine), null, 2)}\n`;
    case "json":
      return `${JSON.stringify(taken === undefined ? graphOf(machine) : { ...graphOf(machine), taken }, null, 2)}\n`;
  }
};
