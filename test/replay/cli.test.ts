import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as Effect from "effect/Effect";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { invoke } from "../../src/cli/invoke.ts";
import { openEngine } from "../../src/index.ts";
import { heldSignals, recordedStreams } from "../cli/recorded.ts";
import { order } from "./order.ts";

let folder: string;
let database: string;
const machines = fileURLToPath(new URL("order.ts", import.meta.url));

const taskwright = async (...words: ReadonlyArray<string>) => {
  const { streams, written } = recordedStreams();
  const code = await Effect.runPromise(invoke(["node", "taskwright", ...words], streams, heldSignals().source));
  return { code, ...written };
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "taskwright-replay-"));
  database = join(folder, "work.db");
  const engine = await openEngine({ database, machines: [order] });
  await engine.start(order, "1");
  await engine.send("order/1", { type: "PAY", amount: 4, card: "4111-1111" });
  await engine.send("order/1", { type: "PAY", amount: 6 });
  await engine.waitFor("order/1", ({ value }) => value === "shipping");
  await engine.close();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The same machine with its guard turned round, as a module of its own. */
const changedMachine = (): string => {
  const file = join(folder, "changed.mjs");
  writeFileSync(
    file,
    `import { orderWith } from ${JSON.stringify(new URL("order.ts", import.meta.url).href)};\nexport const machines = [{ machine: orderWith({ isPaid: (paid, amount) => paid > amount }) }];\n`,
  );
  return file;
};

describe("cli > replay", () => {
  it("shows the way of one actor, and that it is right", async () => {
    const { code, out } = await taskwright("replay", "order/1", "--machines", machines, "--database", database);
    expect(code).toBe(0);
    expect(out).toMatch(/^SEQ +TIME +EVENT +OUTCOME +STATE AFTER +COMMANDS/);
    expect(out).toMatch(/\n3 .*PAY +handled +charging +child\.start charge\n4 .*taskwright\.done +handled +shipping +act mail, timer\.set after\.deliveryTime\.order\.shipping\n/);
    expect(out).toContain("order/1: 4 entries, each leads to the stored fingerprint\n\nstate after entry 4  {");
    expect((await taskwright("replay", "order/1", "-m", machines, "-d", database, "--verify")).out).toBe("order/1: 4 entries, each leads to the stored fingerprint\n");
    writeFileSync(join(folder, "lamp.mjs"), "export const machines = [];\n");
    expect((await taskwright("replay", "order/1", "-m", `${machines},${join(folder, "lamp.mjs")}`, "-d", database, "--verify")).code).toBe(0);
    expect(await taskwright("replay", "order/1", "-m", `${machines},`, "-d", database)).toMatchObject({
      code: 2,
      error: expect.stringContaining("--machines must be a path, or several with commas between them"),
    });
    const early = await taskwright("replay", "order/1", "-m", machines, "-d", database, "--to", "2", "--json");
    expect(JSON.parse(early.out)).toMatchObject({ seq: 2, verified: 2, state: { value: "open", context: { paid: 4 } } });
  });

  it("ends with 1 where something differs, and says why", async () => {
    const { code, out } = await taskwright("replay", "order/1", "--machines", changedMachine(), "--database", database, "--verify");
    expect(code).toBe(1);
    expect(out).toMatch(/^order\/1, entry 3 \(PAY\): .*\n {2}cause: guard "isPaid": the guard "isPaid" answers the other way than when this was stored\n {2}value: stored "charging", now "open"\n/);
  });

  it("looks at all, and says which machines it lacks", async () => {
    expect(await taskwright("replay", "--all", "-m", machines, "-d", database)).toMatchObject({ code: 0, out: "2 actors, 6 entries verified, 0 actors differ\n" });
    const without = await taskwright("replay", "--all", "-d", database);
    expect(without).toMatchObject({ code: 1, out: "2 actors, 2 entries verified, 0 actors differ\n1 actor not verified: give the machines that wrote them with --machines (order)\n" });
    expect(JSON.parse((await taskwright("replay", "--all", "-m", changedMachine(), "-d", database, "--json")).out)).toMatchObject({
      actors: 2,
      differing: [{ address: "order/1", seq: 3, cause: "guard" }],
      unknown: 0,
    });
  });

  it("refuses what is unclear, and files without machines", async () => {
    expect(await taskwright("replay", "-d", database)).toMatchObject({ code: 2, error: expect.stringContaining("give the ID of one actor, or --all") });
    expect(await taskwright("replay", "order/1", "--all", "-d", database)).toMatchObject({ code: 2 });
    expect(await taskwright("replay", "order/2", "-d", database)).toMatchObject({ code: 2, error: expect.stringContaining('did you mean "order/1"') });
    expect(await taskwright("replay", "order/1", "-m", join(folder, "none.ts"), "-d", database)).toMatchObject({ code: 2, error: expect.stringContaining("there is no file or folder") });
    writeFileSync(join(folder, "empty.mjs"), "export const a = 1;\n");
    expect(await taskwright("replay", "order/1", "-m", join(folder, "empty.mjs"), "-d", database)).toMatchObject({ code: 2, error: expect.stringContaining("no machine is exported by") });
  });
});

describe("cli > compare", () => {
  it("says what a changed machine would do, and ends with 1 for that", async () => {
    expect(await taskwright("compare", "-m", machines, "-d", database)).toMatchObject({ code: 0, out: "1 of 1 actor does the same, 0 do not\n" });
    const { code, out } = await taskwright("compare", "--machines", changedMachine(), "--against", machines, "-d", database);
    expect(code).toBe(1);
    expect(out).toMatch(/^other state: 1 actor of order\n {2}PAY in open leads to open instead of charging\n {2}shortest: order\/1, entry 3: taskwright\.start, PAY, PAY\n/);
    expect(out).toContain('it ended in "shipping", and ends in "open" now\n  counterfactual in 1:');
    expect(out).not.toContain("migrate");
    const moved = join(folder, "moved.mjs");
    writeFileSync(
      moved,
      `import { orderWith } from ${JSON.stringify(new URL("order.ts", import.meta.url).href)};
const { constructor: Machine } = orderWith({});
export const order = { machine: new Machine({ id: "order", version: "2", context: {}, initial: "open", states: { open: {}, sent: {} } }, {}), migrate: () => ({ value: "sent" }) };\n`,
    );
    const renamed = await taskwright("compare", "--machines", moved, "-d", database);
    expect(renamed.out).toMatch(/^state gone: 1 actor of order$/m);
    expect(renamed.out).toMatch(/\nthe migrate of order was not asked; where it brings the running actors: taskwright move order --machines .*moved\.mjs\n$/);
    const file = join(folder, "order.jsonl");
    await taskwright("export", "order/1", "-o", file, "-d", database);
    const read = await taskwright("compare", file, "--machines", changedMachine(), "--json");
    expect(JSON.parse(read.out)).toMatchObject({ actors: 1, same: 0, groups: [{ kind: "other state", cause: expect.stringContaining('the guard "isPaid"') }] });
  });
});

describe("cli > export and import", () => {
  it("takes a history to another journal, redacted, where it replays", async () => {
    const file = join(folder, "order.jsonl");
    expect(await taskwright("export", "--all", "-m", machines, "--redact", "event.card", "-o", file, "-d", database)).toMatchObject({ code: 0, out: `2 histories written to ${file}\n` });
    expect(readFileSync(file, "utf8")).not.toContain("4111");
    const other = join(folder, "other.db");
    expect(await taskwright("import", file, "-d", other)).toMatchObject({ code: 0, out: `2 actors imported into ${other}\n` });
    expect(await taskwright("replay", "--all", "-m", machines, "-d", other)).toMatchObject({ code: 0 });
    expect((await taskwright("show", "order/1", "-d", other)).out).toMatch(/address +order\/1\nmachine +order 1\n/);
    expect(await taskwright("import", file, "-d", other)).toMatchObject({ code: 2, error: expect.stringContaining("there is an actor at this address already") });
  });

  it("writes to standard output, one machine or single actors", async () => {
    const kinds = async (...words: ReadonlyArray<string>) =>
      (await taskwright("export", ...words, "-d", database)).out
        .trim()
        .split("\n")
        .filter((line) => line.includes('"kind":"actor"')).length;
    expect(await kinds("order/1")).toBe(1);
    expect(await kinds("--machine", "activity")).toBe(1);
    expect(await taskwright("export", "-d", database)).toMatchObject({ code: 2, error: expect.stringContaining("give the IDs of actors") });
    writeFileSync(join(folder, "bad.jsonl"), "{}\n");
    expect(await taskwright("import", join(folder, "bad.jsonl"), "-d", database)).toMatchObject({ code: 2, error: expect.stringContaining("line 1: a history file begins with") });
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  });
});
