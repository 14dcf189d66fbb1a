import { describe, expect, test } from "vitest";
import { decode, encode } from "../../src/actor/index.ts";
import { parentAddress } from "../../src/domain/address.ts";
import { defaultLimits } from "../../src/domain/limits.ts";
import { makeRegistry } from "../../src/engine/index.ts";
import { sqliteStore, testEngine, type TestEngine } from "../../src/testing/index.ts";
import { openDatabase } from "../crash/check/database.ts";
import { type Subject, subjects } from "./damage/cast.ts";
import { type Mutation, mutationsOf } from "./damage/mutations.ts";

const room = { retypes: 3, texts: 24 };

/** The columns of a row that nobody may touch while its actor is parked; its wake is put off. */
interface Row {
  readonly address: string;
  readonly machine: string;
  readonly hash: string;
  readonly status: string;
  readonly token: number;
  readonly seq: number;
  readonly at: number;
  readonly state: unknown;
}
const rowsIn = (file: string, address = "%"): ReadonlyMap<string, Row> => {
  const database = openDatabase(file);
  const rows = database.all<Row>("SELECT a.address, a.machine, a.hash, a.status, a.token, s.seq, s.at, s.state FROM actors a JOIN states s ON s.actor = a.id WHERE a.address LIKE ?", address);
  database.close();
  return new Map(rows.map((row) => [row.address, row]));
};

/** Says whether anything is different now. */
const damage = (file: string, address: string, { state, column }: Mutation): boolean => {
  const database = openDatabase(file);
  const of = "(SELECT id FROM actors WHERE address = ?)";
  const look = () => JSON.stringify(database.all("SELECT * FROM actors a JOIN states s ON s.actor = a.id LEFT JOIN wakes w ON w.actor = a.id WHERE a.address = ?", address));
  const before = look();
  if (state !== undefined) {
    const [row] = database.all<{ state: string }>(`SELECT state FROM states WHERE actor = ${of}`, address);
    database.all(`UPDATE states SET state = ? WHERE actor = ${of} RETURNING 1`, state(row?.state as string), address);
  } else if (column !== undefined) database.all(`UPDATE ${column.table} SET ${column.column} = ${column.value} WHERE ${column.table === "actors" ? "id" : "actor"} = ${of} RETURNING 1`, address);
  const after = look();
  database.close();
  return after !== before;
};

/**
 * Why a damaged row may be read: what it says now is something that its machine could have left. Everything else that
 * is read would be nonsense taken for a state.
 */
const reasonOf = ({ name, path, column }: Mutation, row: Row): string | undefined => {
  if (column !== undefined) {
    if (column.column === "hash") return "the machine may have changed";
    if (column.table === "wakes") return "a wake follows from the timers";
    if (column.column === "token") return "the generation is known to the parent only";
    if (column.column === "seq") return "the history is not read with the row";
    return undefined;
  }
  if (path === undefined) return isJson(row.state) ? "another text of the same shape" : undefined;
  if (path[0] === "context") return "a context is the machine's own";
  if (path[0] === "output" || (path[0] === "error" && path.length > 1)) return "data";
  if (name.endsWith("removed")) return "an optional part";
  if (path[0] === "tokens" || path.includes("token") || path.includes("due") || path[2] === "child") return "a number that could be another";
  if (path[2] === "src" || name === "a child of nobody's") return "a child that the machine may have had";
  if (path[0] === "timers" && path.length > 3) return "data of an event";
  if (path[0] === "timers" && path[2] === "event") return "another event";
  if (path[0] === "children" && path[2] === "systemId") return "another name";
  if (name.endsWith("= {}") || name.endsWith('{"kind":"moon"}')) return "an empty record";
  return undefined;
};
/** What would be written again. */
const rereadOf = (registry: Registry, { address, machine, state }: Row): unknown => {
  const definition = registry.byId.get(machine)?.definition;
  return definition === undefined ? "no machine" : JSON.parse(encode(decode(definition, address, parentAddress(address), state as string)));
};
type Registry = ReturnType<typeof makeRegistry>;
/** Records that an actor leaves out when there is nothing in them. */
const withoutEmpty = (stored: Record<string, unknown>): unknown =>
  Object.fromEntries(Object.entries(stored).filter(([key, value]) => !(["children", "timers", "history"].includes(key) && JSON.stringify(value) === "{}") && !(key === "tokens" && value === 0)));
const isJson = (text: unknown): boolean => {
  try {
    return typeof JSON.parse(text as string) === "object";
  } catch {
    return false;
  }
};

const witness = async (engine: TestEngine, sent: number, what: string): Promise<void> => {
  expect(await engine.taskwright.send("counter/witness", { type: "ADD" }), what).toMatchObject({ outcome: "handled", seq: sent + 1 });
  expect(engine.taskwright.status().state, what).toBe("running");
};
const tagOf = (error: unknown): string => (error as { _tag?: string })._tag ?? `not typed: ${String(error)}`;

interface Count {
  damaged: number;
  parked: number;
  readonly read: Map<string, number>;
}

const run = async (subject: Subject, seed: number): Promise<Count> => {
  const store = sqliteStore();
  const engine = await testEngine({ machines: subject.machines, ...(subject.plugins === undefined ? {} : { plugins: subject.plugins }), journal: store });
  engine.skipFold();
  const registry = makeRegistry([...subject.machines, ...(subject.plugins ?? []).flatMap(({ machines }) => machines)], defaultLimits);
  const count: Count = { damaged: 0, parked: 0, read: new Map() };
  try {
    await engine.start("counter", "witness");
    await engine.start("clock", "witness");
    // One is brought about first, to see what it looks like.
    await subject.bring(engine, ["m0"]);
    const file = store.file as string;
    const example = rowsIn(file).get(subject.address("m0"))?.state as string;
    expect(example, subject.name).toBeTypeOf("string");
    const mutations = mutationsOf(example, seed, room);
    const ids = mutations.map((_, index) => `m${index + 1}`);
    await subject.bring(engine, ids);
    engine.crash();
    const damaged = mutations.map((mutation, index) => ({ mutation, address: subject.address(ids[index] as string) })).filter(({ mutation, address }) => damage(file, address, mutation));
    const before = rowsIn(file);
    await engine.restart();
    await subject.resume?.(engine);

    for (const [index, { mutation, address }] of damaged.entries()) {
      const what = `${address}: ${mutation.name}`;
      const seen = await engine.taskwright.snapshot(address).then(
        () => "read",
        (error) => (error.detail.length > 0 ? tagOf(error) : "no cause"),
      );
      expect(["read", "ActorParked"], what).toContain(seen);
      let isParked = seen === "ActorParked";
      if (subject.event !== undefined) {
        const told = await engine.taskwright.send(address, subject.event).then(() => "taken", tagOf);
        // A row behind its history is found out when it is to move.
        isParked ||= told === "ActorParked" && mutation.column?.column === "seq";
        expect(isParked ? ["ActorParked"] : ["taken", "ActorFailed"], what).toContain(told);
      }
      expect(await engine.taskwright.history(address), what).not.toHaveLength(0);
      await witness(engine, index + 1, what);
      count.damaged++;
      if (isParked) {
        count.parked++;
        expect(rowsIn(file, address).get(address), what).toEqual(before.get(address));
      } else {
        const reason = reasonOf(mutation, before.get(address) as Row);
        expect(reason, `${what} is read as ${JSON.stringify(before.get(address)?.state)}`).toBeDefined();
        const { state } = before.get(address) as Row;
        // Nothing of what stands there may be passed over. What is nested too deeply can't be written again, which is a failure of its next event.
        if (mutation.state !== undefined && !String(state).includes("[".repeat(1_000))) expect(rereadOf(registry, before.get(address) as Row), what).toEqual(withoutEmpty(JSON.parse(state as string)));
        count.read.set(reason as string, (count.read.get(reason as string) ?? 0) + 1);
      }
    }

    // Everybody else runs on, with all their deadlines, and nobody turns round and round.
    const { turns } = engine.taskwright.status();
    await engine.advance("4 hours");
    expect(engine.taskwright.status().turns - turns).toBeLessThan(3_000);
    expect((await engine.snapshot("clock/witness")).context).toMatchObject({ minutes: 240 });
    expect(engine.taskwright.status()).toMatchObject({ state: "running", waiting: 0 });
    const after = rowsIn(file);
    for (const address of await parkedIn(engine, [...before.keys()])) expect(after.get(address), address).toEqual(before.get(address));
    expect((await engine.taskwright.list({ limit: 10_000 })).length).toBe(after.size);
    expect(engine.logged.filter(({ level, message }) => level === "error" && message.startsWith("nothing can be stored"))).toEqual([]);
    await engine.taskwright.deadLetters({ limit: 10_000 });
  } finally {
    await engine.dispose();
    await store.dispose();
  }
  return count;
};

const parkedIn = async (engine: TestEngine, addresses: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const parked: Array<string> = [];
  for (const address of addresses)
    await engine.taskwright.snapshot(address).catch((error) => {
      if (tagOf(error) === "ActorParked") parked.push(address);
    });
  return parked;
};

describe("engine > damaged rows", () => {
  const counts: Array<Count> = [];
  for (const [index, subject] of subjects.entries()) {
    test(`${subject.name}: whatever stands in its row, it is parked or read for a reason, and all others run on`, async () => {
      counts.push(await run(subject, index + 1));
    });
  }

  test("these were a thousand rows, and most of them can't be read", () => {
    const damaged = counts.reduce((sum, count) => sum + count.damaged, 0);
    const parked = counts.reduce((sum, count) => sum + count.parked, 0);
    expect(damaged).toBeGreaterThan(1_000);
    expect(parked).toBeGreaterThan(0.5 * damaged);
    if (process.env.DAMAGE !== undefined) for (const [index, { damaged: all, parked: put, read }] of counts.entries()) console.error(subjects[index]?.name, all, put, Object.fromEntries(read));
  });
});
