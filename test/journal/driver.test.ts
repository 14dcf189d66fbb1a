import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { choose, defaultSources, type Driver, type DriverName, type DriverSources } from "../../src/journal/driver.ts";
import { loadNodeSqlite } from "../../src/journal/node-sqlite.ts";

const driver = (name: Driver["name"]): Driver => ({ name, client: () => Effect.die("not used") });
const works = (name: Driver["name"]) => async () => driver(name);
const broken = (why: string) => async (): Promise<Driver> => {
  throw new Error(why);
};
const never = async (): Promise<Driver> => {
  throw new Error("this driver must not even be tried");
};

const chosen = (wanted: DriverName, sources: DriverSources) => Effect.runPromise(Effect.either(choose(wanted, "a.db", sources)));

describe("journal > driver", () => {
  for (const nodeMajor of [20, 22]) {
    it(`is better-sqlite3 on Node ${nodeMajor}`, async () => {
      expect(await chosen("auto", { nodeMajor, betterSqlite3: works("better-sqlite3"), nodeSqlite: never })).toMatchObject({ right: { name: "better-sqlite3" } });
    });
  }

  it("is the built-in one where better-sqlite3 was built for another Node", async () => {
    const sources = { nodeMajor: 22, betterSqlite3: broken("NODE_MODULE_VERSION 115"), nodeSqlite: works("node:sqlite") };
    expect(await chosen("auto", sources)).toMatchObject({ right: { name: "node:sqlite" } });
  });

  it("is the built-in one on Node 24, where better-sqlite3 would abort the process: it is not even loaded", async () => {
    expect(await chosen("auto", { nodeMajor: 24, betterSqlite3: never, nodeSqlite: works("node:sqlite") })).toMatchObject({ right: { name: "node:sqlite" } });
    expect(await chosen("auto", { nodeMajor: 24, betterSqlite3: works("better-sqlite3"), nodeSqlite: broken("none") })).toMatchObject({ left: { reason: "driver" } });
  });

  it("is the one asked for by name, or an error", async () => {
    const sources = { nodeMajor: 24, betterSqlite3: works("better-sqlite3"), nodeSqlite: works("node:sqlite") };
    expect(await chosen("better-sqlite3", sources)).toMatchObject({ right: { name: "better-sqlite3" } });
    expect(await chosen("node:sqlite", { ...sources, nodeMajor: 20 })).toMatchObject({ right: { name: "node:sqlite" } });
    expect(await chosen("better-sqlite3", { ...sources, betterSqlite3: broken("no binary") })).toMatchObject({ left: { reason: "driver" } });
  });

  it("fails with all reasons and the remedy when there is none", async () => {
    const result = await chosen("auto", { nodeMajor: 20, betterSqlite3: broken("no binary"), nodeSqlite: broken("no built-in") });
    expect(result).toMatchObject({ left: { _tag: "JournalError", reason: "driver", code: "journal_driver", where: "a.db" } });
    expect(result._tag === "Left" && result.left.message).toMatch(/no binary; no built-in.*install better-sqlite3 for this Node version and let its install script run.*, or use Node 22\.13/);
  });

  it("loads on this Node", async () => {
    expect(await chosen("auto", defaultSources)).toMatchObject({ _tag: "Right" });
  });

  it("keeps Node's warning that SQLite is experimental from the terminal, and no other warning", async () => {
    const heard: Array<string> = [];
    const printers = process.listeners("warning");
    process.removeAllListeners("warning");
    const last = new Promise<void>((resolve) => {
      process.on("warning", function listen(warning) {
        heard.push(warning.message);
        if (warning.message !== "the last one") return;
        process.off("warning", listen);
        resolve();
      });
    });
    const emitWarning = process.emitWarning;
    process.emitWarning("somebody else's feature", "ExperimentalWarning");
    loadNodeSqlite();
    expect(process.emitWarning).toBe(emitWarning);
    process.emitWarning("SQLite is fine", "SomeWarning");
    process.emitWarning("the last one");
    await last;
    for (const printer of printers) process.on("warning", printer);
    expect(heard).toEqual(["somebody else's feature", "SQLite is fine", "the last one"]);
  });
});
