import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bundled } from "../bundled.ts";
import { openDatabase } from "./check/database.ts";
import { Owner, type OwnerOptions, pauseAndTakeOver, takeOver } from "./owner.ts";

const isWindows = process.platform === "win32";
if (isWindows) console.warn("owner tests are skipped: Windows has no SIGSTOP");

describe.skipIf(isWindows)("owner > two processes on one journal", () => {
  let folder = "";
  const owners: Array<Owner> = [];
  const program = bundled(fileURLToPath(new URL("owner-process.ts", import.meta.url)));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "taskwright-owner-"));
  });
  afterEach(async () => {
    await Promise.all(owners.splice(0).map((owner) => owner.end()));
    rmSync(folder, { recursive: true, force: true });
  });
  const options = (rest: Partial<OwnerOptions> = {}): OwnerOptions => ({ program, file: join(folder, "work.db"), leaseMs: 60_000, heartbeatMs: 2_000, ...rest });
  const open = (rest: Partial<OwnerOptions> = {}) => {
    const owner = new Owner(options(rest));
    owners.push(owner);
    return owner;
  };
  const follow = async (rest: Partial<OwnerOptions> = {}) => {
    const { owner, refusals } = await takeOver(options(rest));
    owners.push(owner);
    return { owner, refusals };
  };
  /** The ids of all stored additions, in the order of the history. */
  const stored = (): ReadonlyArray<string> => {
    const database = openDatabase(join(folder, "work.db"));
    try {
      return database.all<{ event: string }>("SELECT event FROM history WHERE type = 'ADD' ORDER BY id").map((row) => (JSON.parse(row.event) as { id: string }).id);
    } finally {
      database.close();
    }
  };

  /** What a wait for the end of the lease would bring about, without the wait. */
  const endLease = () => {
    const database = openDatabase(join(folder, "work.db"));
    database.all("UPDATE owner SET until = ? RETURNING until", Date.now() - 1);
    database.close();
  };

  test("the second is refused and told whose process has it, the first goes on", async () => {
    const first = open();
    await first.heard("opened", 1);
    const second = open();
    const refusal = await second.heard("refused");
    expect(refusal).toMatchObject({ refused: "JournalOwned", pid: first.pid });
    expect(refusal.message).toContain(`process ${first.pid}`);
    first.tell("send one");
    expect(await first.heard("sent", "one")).toMatchObject({ seq: 2 });
  });

  test("when the first closes, the second need not wait", async () => {
    const first = open();
    await first.heard("opened");
    first.tell("close");
    await first.ended;
    const { refusals } = await follow();
    expect(refusals).toEqual([]);
  });

  test("after kill -9 of the first, the second opens at once, long before the lease is over", async () => {
    const first = open();
    await first.heard("opened");
    first.tell("send one");
    await first.heard("sent", "one");
    first.signal("SIGKILL");
    await first.ended;
    const { owner: second, refusals } = await follow();
    expect(refusals).toEqual([]);
    const { tookMs } = await second.heard("opened", 2);
    console.log(`takeover after kill -9: the engine opened within ${tookMs} ms (lease 60000 ms)`);
    expect(tookMs).toBeLessThan(60_000);
    second.tell("send two");
    await second.heard("sent", "two");
    expect(stored()).toEqual(["one", "two"]);
  });

  test("after kill -9 on another machine, where nobody can see the process, the second opens when the lease is over", async () => {
    const elsewhere = fileURLToPath(new URL("./elsewhere.mjs", import.meta.url));
    const first = open({ imports: [elsewhere] });
    await first.heard("opened");
    first.signal("SIGKILL");
    await first.ended;
    const { refused, pid } = await open().heard("refused");
    expect({ refused, pid }).toEqual({ refused: "JournalOwned", pid: first.pid });
    endLease();
    const { refusals } = await follow();
    expect(refusals).toEqual([]);
  });

  for (const isBusy of [false, true]) {
    test(`a paused owner (${isBusy ? "in the middle of its work" : "at rest"}) that was taken over can't write any more when it wakes up`, async () => {
      const lease = { leaseMs: 1_500, heartbeatMs: 300 };
      const first = open(lease);
      await first.heard("opened");
      if (isBusy) first.tell("flood first");
      else first.tell("send first-1");
      await (isBusy ? first.heard("sent", "first-10") : first.heard("settled", "first-1"));
      const { owner: second, waitedMs } = await pauseAndTakeOver(first, options(lease));
      owners.push(second);
      console.log(`takeover from a paused owner: ${waitedMs} ms (lease 1500 ms)`);
      // Before the second has written anything that would be in its way.
      first.signal("SIGCONT");
      first.tell("send late");
      expect(await first.heard("failed", "late")).toMatchObject({ error: "EngineClosed" });
      if (isBusy) await first.heard("flooded");
      second.tell("send second-1");
      await second.heard("sent", "second-1");
      const all = stored();
      expect(all.at(-1)).toBe("second-1");
      // What the first was told is stored is there; what it was told has failed is not.
      const said = (key: string) => first.lines.flatMap((line) => (key in line ? [String(line[key])] : []));
      expect(said("failed").length).toBeGreaterThan(0);
      for (const id of said("sent")) expect(all).toContain(id);
      for (const id of said("failed")) expect(all).not.toContain(id);
    });
  }
});
