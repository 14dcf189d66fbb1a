import type { Ack } from "./evidence.ts";
import { latest, nameOf, type Rule, type Scene } from "./scene.ts";

/** Says why an acknowledged thing is not in the journal, or nothing. */
type Look = (ack: Ack, scene: Scene) => string | undefined;

const historyHas = ({ byAddress }: Scene, address: unknown, isIt: (event: { readonly id?: unknown }, seq: number) => boolean): boolean =>
  (byAddress.get(String(address)) ?? []).some(({ moments }) => moments.some(({ entry }) => isIt(JSON.parse(entry.event) as { id?: unknown }, entry.seq)));

/** `taskwright run --json`: what it tells of a task is a state that the task's history has, at that very moment. */
const taskTold =
  (isState: (name: string) => boolean): Look =>
  (ack, { byAddress }) => {
    const moments = (byAddress.get(`task/${String(ack.id)}`) ?? []).flatMap((life) => life.moments);
    if (moments.length === 0) return "there is no such task";
    const attempts = ack.attempts ?? ack.attempt;
    const found = moments.some(({ entry, state }) => entry.at === ack.at && isState(nameOf(state.snapshot.value)) && (state.snapshot.context as { assignments: number }).assignments === attempts);
    return found ? undefined : "its history has no such state at that moment";
  };

const looks: Readonly<Record<string, Look>> = {
  started: taskTold((name) => name === "running"),
  retrying: taskTold((name) => name === "backingOff" || name === "queued"),
  done: taskTold((name) => name === "done"),
  dead: taskTold((name) => name === "dead"),
  cancelled: taskTold((name) => name === "cancelled"),
  summary: (ack, { byAddress, endings }) => {
    const ended = [...(endings?.keys() ?? [])].map((id) => nameOf(latest(byAddress.get(`task/${id}`)?.at(-1))?.value ?? "missing"));
    const count = (name: string) => ended.filter((value) => value === name).length;
    const stored = { total: ended.length, done: count("done"), failed: count("dead"), cancelled: count("cancelled") };
    return Object.entries(stored).every(([key, value]) => ack[key] === value) ? undefined : `the journal has ${JSON.stringify(stored)}`;
  },
  start: ({ address }, { byAddress }) => (byAddress.has(String(address)) ? undefined : "there is no such actor"),
  event: ({ address, id, seq }, scene) => (historyHas(scene, address, (event, at) => event.id === id && (seq === undefined || seq === at)) ? undefined : "there is no such event"),
  ended: ({ address, value }, { byAddress }) => (latest(byAddress.get(String(address))?.at(-1))?.value === value ? undefined : "it did not end so"),
};

/** `begin` and `closed` say nothing about the journal. */
const kindOf = (ack: Ack): string => String(ack.ack ?? ack.event);

export const acks: ReadonlyArray<Rule> = [
  {
    name: "what was acknowledged is there",
    check: (scene, violate) => {
      for (const ack of scene.evidence.acks) {
        const missing = looks[kindOf(ack)]?.(ack, scene);
        if (missing !== undefined) violate(`${JSON.stringify(ack).slice(0, 200)}: ${missing}`);
      }
    },
  },
];
