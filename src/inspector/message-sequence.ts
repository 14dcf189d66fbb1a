import { parentAddress } from "../domain/address.ts";
import type { Source } from "./source.ts";
import type { Message, Sequence } from "./wire.ts";

/** Actors and messages of a sequence diagram. */
const lifelinesMax = 12;
const messagesMax = 500;

/** Who told whom what, among an actor, those that it talked to, and its children. */
export const sequence = async (source: Source, address: string): Promise<Sequence> => {
  const actors: Array<string> = [];
  const add = (name: string) => {
    if (!actors.includes(name) && actors.length < lifelinesMax) actors.push(name);
  };
  const view = await source.actor(address);
  const messages: Array<Message> = [];
  const read = async (of: string) => {
    const from = Math.max(0, ((await source.actor(of))?.seq ?? 0) - messagesMax);
    for (const entry of await source.history(of, from, messagesMax)) {
      const sender = entry.from === "" ? "host" : entry.from === "taskwright.timer" ? of : entry.from;
      messages.push({ at: entry.at, from: entry.event.type === "taskwright.timer" ? of : sender, to: of, type: entry.event.type, seq: entry.seq, outcome: entry.outcome });
    }
  };
  await read(address);
  const parent = parentAddress(address);
  add("host");
  if (parent !== undefined) add(parent);
  add(address);
  for (const child of view === undefined ? [] : await source.list({ parent: view.id, limit: lifelinesMax })) add(child.address);
  for (const { from } of messages) add(from);
  for (const other of [...actors]) if (other !== address && other.includes("/") && (await source.actor(other)) !== undefined) await read(other);
  const shown = new Set(actors);
  const between = messages.filter(({ from, to }) => shown.has(from) && shown.has(to) && (from === address || to === address || from.startsWith(`${address}/`) || to.startsWith(`${address}/`)));
  const used = new Set(between.flatMap(({ from, to }) => [from, to]));
  return { actors: actors.filter((name) => used.has(name)), messages: between.sort((left, right) => left.at - right.at || left.seq - right.seq).slice(-messagesMax) };
};
