import { nextDue } from "../../../src/actor/index.ts";
import { definitions } from "./fold.ts";
import type { Rule } from "./scene.ts";

/** What holds for any journal, whatever its machines do. */
export const structure: ReadonlyArray<Rule> = [
  {
    name: "the file is sound",
    check: ({ evidence }, violate) => {
      if (evidence.integrity !== "ok") violate(evidence.integrity);
    },
  },
  {
    name: "no actor without state and history, no row without its actor",
    check: ({ evidence, byId, lives }, violate) => {
      for (const { row, stored, moments } of lives) {
        if (stored === undefined) violate(`${row.address} has no state`);
        if (moments.length === 0) violate(`${row.address} has no history`);
        if (row.parent > 0 && !byId.has(row.parent)) violate(`${row.address}: its parent ${row.parent} does not exist`);
        if (!evidence.machines.some((machine) => machine.hash === row.hash)) violate(`${row.address}: the chart of its machine is not stored`);
      }
      const rows = { states: evidence.states, history: evidence.history, wakes: evidence.wakes, effects: evidence.effects };
      for (const [table, list] of Object.entries(rows)) for (const { actor } of list) if (!byId.has(actor)) violate(`${table}: there is no actor ${actor}`);
    },
  },
  {
    name: "sequences run from 1 without gaps, and time never goes back",
    check: ({ evidence }, violate) => {
      const lastSeq = new Map<number, number>();
      let at = 0;
      for (const row of evidence.history) {
        const expected = (lastSeq.get(row.actor) ?? 0) + 1;
        if (row.seq !== expected) violate(`actor ${row.actor}: entry ${row.seq} stands where ${expected} is expected`);
        lastSeq.set(row.actor, row.seq);
        if (row.at < at) violate(`history ${row.id}: its moment ${row.at} is before ${at}`);
        at = row.at;
      }
    },
  },
  {
    name: "a wake is never later than the earliest timer",
    check: ({ evidence, lives }, violate) => {
      const wakes = new Map(evidence.wakes.map((wake) => [wake.actor, wake.due]));
      for (const { row, moments } of lives) {
        const state = moments.at(-1)?.state;
        const due = state === undefined || row.status !== "active" ? undefined : nextDue(state);
        const wake = wakes.get(row.id);
        if (due !== undefined && (wake === undefined || wake > due)) violate(`${row.address} waits until ${due}, its wake is ${wake ?? "missing"}`);
        if (row.status !== "active" && wake !== undefined) violate(`${row.address} has ended and has a wake`);
      }
    },
  },
  {
    name: "parents and children know each other",
    check: ({ evidence, lives, byAddress, byId }, violate) => {
      const told = new Set(evidence.mail.map(({ envelope }) => (JSON.parse(envelope) as { to: string }).to));
      const known = new Set<number>();
      for (const { row, address, moments } of lives) {
        const state = moments.at(-1)?.state;
        if (state === undefined || row.status !== "active") continue;
        for (const [id, child] of Object.entries(state.children)) {
          const kind = definitions.get(row.hash)?.sources.get(child.src)?.kind;
          const at = `${address}/${id}`;
          if (child.ended === true || (kind !== "machine" && kind !== "promise")) continue;
          const found = byAddress.get(at)?.find((life) => life.row.token === child.token && life.row.address === at);
          if (found !== undefined) known.add(found.row.id);
          if (!told.has(at) && !told.has(address) && found?.row.status !== "active") violate(`${row.address}: its child "${id}" ${found === undefined ? "does not exist" : `is ${found.row.status}`}`);
        }
      }
      for (const { row, address } of lives) {
        if (row.parent === 0 || row.status !== "active" || known.has(row.id)) continue;
        const parent = byId.get(row.parent)?.address ?? "";
        if (!told.has(address) && !told.has(parent)) violate(`${row.address} is active, but its parent knows nothing of it`);
      }
    },
  },
  {
    name: "what is owed was asked for",
    check: ({ evidence, byId }, violate) => {
      for (const { actor, seq, action } of evidence.effects)
        if ((byId.get(actor)?.moments.length ?? 0) < seq) violate(`the action "${action}" of actor ${actor} belongs to entry ${seq}, which does not exist`);
    },
  },
  {
    name: "at the end nothing is owed and the claim is given up",
    check: ({ evidence, final }, violate) => {
      if (!final) return;
      if (evidence.mail.length > 0) violate(`${evidence.mail.length} messages were not taken`);
      if (evidence.effects.length > 0) violate(`${evidence.effects.length} custom actions were not carried out`);
      if (evidence.owner?.until !== 0) violate(`the owner's lease runs until ${evidence.owner?.until ?? "?"}`);
    },
  },
];
