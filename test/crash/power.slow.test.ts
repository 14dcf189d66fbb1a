import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failPower, failuresText, type Synchronous, verdict } from "./power/failure.ts";
import { findRecorder, type Recorder } from "./power/recorder.ts";
import { openSite, whyNot } from "./site.ts";

/** On a machine that does much else. Milliseconds. */
const patienceMs = 240_000;

describe("crash > power failure", () => {
  let site: ReturnType<typeof openSite>;
  let recorder: Recorder | string;
  beforeAll(() => {
    if (whyNot !== undefined) return;
    site = openSite();
    recorder = findRecorder(site.source, site.folder);
  });
  afterAll(() => site?.close());

  for (const [synchronous, what] of [
    ["FULL", "loses nothing and damages nothing"],
    ["OFF", "is seen to lose what was acknowledged"],
  ] as const satisfies ReadonlyArray<[Synchronous, string]>) {
    test(
      `synchronous=${synchronous} ${what}`,
      async (context) => {
        const reason = whyNot ?? (typeof recorder === "string" ? `nothing here can record what a process writes (${recorder})` : undefined);
        if (reason !== undefined) {
          console.warn(`SKIPPED, power failures are not simulated: ${reason}`);
          return context.skip(reason);
        }
        const failures = await failPower(site, recorder as Recorder, synchronous, 40, 5);
        console.log(failuresText(failures));
        expect(verdict(failures)).toBeUndefined();
      },
      patienceMs,
    );
  }
});
