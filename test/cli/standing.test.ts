import { spawnSync } from "node:child_process";
import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { ownerText } from "../../src/cli/standing.ts";

describe("cli > who works with a journal", () => {
  it("is the process that claimed it, while its lease runs and it lives", () => {
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const owner = (pid: number, host = hostname()) => ({ id: "a", pid, host, epoch: 1, since: 0, until: 1_000 });
    expect(ownerText(owner(process.pid), 500)).toContain(`process ${process.pid} on ${hostname()} works with this journal`);
    expect(ownerText(owner(process.pid), 1_001)).toContain("no engine works with this journal");
    expect(ownerText(owner(dead), 500)).toContain("no engine works with this journal");
    // Of another host only the lease is known.
    expect(ownerText(owner(dead, "elsewhere"), 500)).toContain("on elsewhere works with this journal");
  });
});
