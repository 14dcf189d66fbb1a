import { describe, expect, test } from "vitest";
import { type Ended, runHistory } from "./history.ts";

/** `BROKER_HISTORIES=500 npx vitest run --config test/vitest.config.ts test/broker/histories.test.ts` is the long form. */
const count = Number(process.env.BROKER_HISTORIES ?? 6);
const first = Number(process.env.BROKER_SEED ?? 1);

describe("broker > generated histories", () => {
  test(
    "with flapping endpoints, full inboxes, failing buffers and an outside that fails lose nothing and answer nothing twice",
    async () => {
      const ended: Array<Ended> = [];
      for (let seed = first; seed < first + count; seed++) ended.push(await runHistory(seed));
      const sum = (of: (one: Ended) => number) => ended.reduce((total, one) => total + of(one), 0);
      const places: Record<string, number> = {};
      for (const one of ended) for (const [place, times] of Object.entries(one.places)) places[place] = (places[place] ?? 0) + times;
      console.log(`${count} histories: ${sum(({ messages }) => messages)} messages, ${sum(({ flaps }) => flaps)} flaps, ${sum(({ restarts }) => restarts)} restarts; ended ${JSON.stringify(places)}`);
      expect(ended.filter(({ wrong }) => wrong.length > 0).map(({ seed, wrong }) => `seed ${seed}: ${wrong.join("; ")}`)).toEqual([]);
      for (const place of ["answered", "unanswered", "failed"]) expect(places[place], place).toBeGreaterThan(0);
      expect(sum(({ restarts }) => restarts)).toBeGreaterThan(0);
    },
    Math.max(300_000, count * 20_000),
  );
});
