import { parentAddress } from "../domain/address.ts";
import { type ActorView, viewOfStored } from "../engine/index.ts";
import type { History, HistoryFile } from "../replay/index.ts";
import type { Source } from "./source.ts";

/** The histories of a file as a source. Also of actors that a journal would not take: cut ones, children without their parents. */
export const fileSource = ({ histories, charts }: HistoryFile, name: string): Source => {
  const ids = new Map(histories.map(({ address }, index) => [address, index + 1]));
  const views = new Map(histories.map((history, index) => [history.address, viewOf(history, index + 1, ids)]));
  return {
    kind: "file",
    name,
    engine: () => ({ state: "a history file", transitions: 0, waiting: 0, activities: 0, residents: 0 }),
    list: async ({ machine, status, parent, after = 0, limit }) =>
      [...views.values()]
        .filter((view) => view.id > after && (machine === undefined || view.machine === machine) && (status === undefined || view.status === status))
        .filter(({ address }) => parent === undefined || ids.get(parentAddress(address) ?? "") === parent)
        .slice(0, limit),
    actor: async (address) => views.get(address),
    history: async (address, after, limit) =>
      histories
        .find((history) => history.address === address)
        ?.entries.filter(({ seq }) => seq > after)
        .slice(0, limit) ?? [],
    historyStart: async (address) => histories.find((history) => history.address === address)?.start,
    letters: async () => [],
    charts: async () => charts,
    follow: () => () => {},
  };
};

const viewOf = ({ address, machine, version, hash, createdAt, entries, start, state }: History, id: number, ids: ReadonlyMap<string, number>): ActorView => {
  const last = entries.at(-1) ?? start;
  const row = { id, address, parent: ids.get(parentAddress(address) ?? "") ?? 0, machine, hash, createdAt, seq: last?.seq ?? 0, at: last?.at ?? createdAt, token: 0, wake: undefined };
  // A file without a last state shows what its history leads to, step by step; here nothing is claimed.
  return viewOfStored({ ...row, status: state?.status ?? "active", state: state === undefined ? "" : JSON.stringify(state) }, version);
};
