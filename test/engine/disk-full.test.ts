import { createRequire } from "node:module";
import { afterEach, describe, expect, test } from "vitest";
import { setup } from "xstate";
import { sqliteStore, testEngine } from "../../src/testing/index.ts";
import { Held } from "./held.ts";
import { job } from "./job.ts";
import { list } from "./machines.ts";

/** Either driver's database, as far as a disk's size goes. */
interface Database {
  prepare: (text: string) => { all?: () => unknown; get?: () => unknown };
}

/**
 * A disk with room for so many pages. SQLite keeps the bound per connection, so every connection is given it before
 * its next statement, whichever driver is in use.
 */
class Disk {
  pages = 1_000_000;
  readonly #restore: Array<() => void> = [];

  constructor() {
    const require = createRequire(import.meta.url);
    for (const load of [() => require("better-sqlite3"), () => require("node:sqlite").DatabaseSync]) {
      try {
        this.#patch((load() as { prototype: Database }).prototype);
      } catch {
        // this Node does not have that driver
      }
    }
  }

  #patch(prototype: Database): void {
    const { prepare } = prototype;
    const known = new WeakMap<object, number>();
    const disk = this;
    prototype.prepare = function (this: Database, text: string) {
      if (known.get(this) !== disk.pages) {
        known.set(this, disk.pages);
        prepare.call(this, `PRAGMA max_page_count = ${disk.pages}`).get?.();
      }
      return prepare.call(this, text);
    };
    this.#restore.push(() => {
      prototype.prepare = prepare;
    });
  }

  remove(): void {
    for (const restore of this.#restore) restore();
  }
}

let disk: Disk | undefined;
afterEach(() => disk?.remove());

describe("engine > full disk", () => {
  test("nothing is acknowledged that is not stored, reads go on, and work resumes without a restart when there is room", async () => {
    disk = new Disk();
    const held = new Held();
    const timed = setup({}).createMachine({ id: "timed", initial: "waiting", states: { waiting: { after: { 60000: "late" } }, late: {} } });
    const store = sqliteStore();
    const engine = await testEngine({ machines: [list, job(held), timed], journal: store });
    await engine.start("list", "1");
    await engine.start("job", "1");
    await engine.start("timed", "1");
    disk.pages = 60;
    // Prepared statements are kept, so the connection hears of the new bound when a new text comes: an address of its own does that.
    const word = "x".repeat(20_000);
    let acknowledged = 0;
    const refused: Array<{ _tag: string; reason?: string; message: string }> = [];
    for (let round = 0; round < 60 && refused.length < 5; round++) {
      await engine.taskwright.list({ machine: "list", status: round % 2 === 0 ? "active" : "done" });
      await engine.taskwright.send("list/1", { type: "IGNORED", word }).then(
        () => acknowledged++,
        (error) => refused.push(error),
      );
      await engine.advance(100);
    }
    expect(refused.length).toBeGreaterThanOrEqual(5);
    for (const error of refused) expect(error).toMatchObject({ _tag: "EngineDegraded" });
    expect(refused.some(({ reason }) => reason === "full")).toBe(true);
    // Reads go on, and what was acknowledged is there.
    expect(await engine.snapshot("list/1")).toMatchObject({ seq: acknowledged + 1 });
    // Meanwhile a promise ends, and a deadline passes.
    held.last.resolve("y".repeat(200_000));
    await engine.advance("2 minutes");
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "working" });
    disk.pages = 1_000_000;
    await engine.taskwright.list({ machine: "job" });
    await engine.advance("10 seconds");
    expect(engine.taskwright.status().state).toBe("running");
    expect(await engine.snapshot("job/1")).toMatchObject({ value: "done" });
    expect(await engine.snapshot("timed/1")).toMatchObject({ value: "late" });
    expect(await engine.send("list/1", { type: "IGNORED", word })).toMatchObject({ seq: acknowledged + 2 });
    await engine.end();
    await store.dispose();
  });
});
