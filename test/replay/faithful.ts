import { encode } from "../../src/actor/index.ts";
import type { Forms, History } from "../../src/replay/index.ts";
import { Recorded } from "../../src/replay/recorded.ts";
import { retell } from "../../src/replay/retell.ts";
import { stepThrough } from "../../src/replay/step-through.ts";

/** What a retelling by the machine that wrote a history does differently; nothing, if it goes the same way. */
export const unfaithful = (history: History, forms: Forms): string | undefined => {
  const definition = forms.of(history.hash);
  if (definition === undefined) return undefined;
  const steps = [...stepThrough(history, { forms, only: definition })];
  if (steps.some(({ after }) => after === undefined)) return undefined;
  const { told } = retell(definition, history, new Recorded(steps));
  const expected = steps.filter(({ entry }) => entry.event.type !== "taskwright.migrate");
  for (const [index, { entry, after }] of expected.entries()) {
    const again = told[index];
    if (again === undefined || again.seq !== entry.seq || again.outcome !== entry.outcome || again.after === undefined || after === undefined || encode(again.after) !== encode(after))
      return `${history.address}, entry ${entry.seq} (${entry.event.type}, ${entry.outcome}): told again as ${again?.seq} (${again?.event.type}, ${again?.outcome} ${again?.threw ?? ""})`;
  }
  return told.length === expected.length ? undefined : `${history.address}: told ${told.length} events, there were ${expected.length}`;
};
