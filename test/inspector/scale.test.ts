import { describe, expect, it } from "vitest";
import { graphOf } from "../../src/analysis/index.ts";
import { type ActorView, type HistoryEntry, systemTime } from "../../src/engine/index.ts";
import { fileSource, inspect } from "../../src/inspector/index.ts";
import type { Source } from "../../src/inspector/source.ts";
import type { ActorList, Frame, History, Moment } from "../../src/inspector/wire.ts";
import { counter } from "./shop.ts";

const actors = 100_000;
const entries = 10_000;
/**
 * Seconds of this process that one answer may take. All that are asked for here, the first reading of all actors among them,
 * took two together on a busy machine; what grows with the square of the number takes minutes.
 */
const answerMax = 2;

const { hash } = graphOf(counter);
const viewOf = (id: number): ActorView =>
  ({
    id,
    address: `counter/${id}`,
    parent: 0,
    machine: "counter",
    hash,
    version: "1",
    status: "active",
    value: id % 3 === 0 ? "odd" : "even",
    seq: 1,
    at: 1_000_000 + ((id * 7919) % actors),
    createdAt: 1_000_000,
    context: {},
    tags: [],
  }) as unknown as ActorView;

/** A source with many actors that nobody had to start. */
const crowd: Source = {
  ...fileSource({ histories: [], charts: [] } as never, "crowd"),
  list: async ({ after = 0, limit }) => Array.from({ length: Math.max(0, Math.min(limit, actors - after)) }, (_, index) => viewOf(after + index + 1)),
};
const ticks: ReadonlyArray<HistoryEntry> = Array.from({ length: entries }, (_, index) => ({
  seq: index + 1,
  at: 1_000_000 + index,
  event: index === 0 ? { type: "taskwright.start" } : { type: "TICK" },
  outcome: "handled",
  from: "",
  stateHash: "",
}));
const long: Source = {
  ...crowd,
  actor: async () => ({ ...viewOf(1), seq: entries }),
  history: async (_, after, limit) => ticks.slice(after, after + limit),
  historyStart: async () => undefined,
};

describe("inspector > scale", () => {
  const asker = (source: Source) => {
    const inspector = inspect(source, [counter], { time: systemTime() });
    return {
      close: inspector.close,
      /** The answer, and the processor seconds that it took. */
      ask: async <A>(path: string) => {
        const before = process.cpuUsage();
        const answer = (await (await inspector.fetch(new Request(`http://localhost/api/${path}`))).json()) as A;
        const { user, system } = process.cpuUsage(before);
        return { answer, seconds: (user + system) / 1e6 };
      },
      first: async (path: string): Promise<Frame> => {
        const reader = ((await inspector.fetch(new Request(`http://localhost/api/${path}`))).body as ReadableStream<Uint8Array>).getReader();
        for (;;) {
          const { value } = await reader.read();
          const frame = /^data: (.*)$/m.exec(new TextDecoder().decode(value))?.[1];
          if (frame === undefined) continue;
          await reader.cancel();
          return JSON.parse(frame) as Frame;
        }
      },
    };
  };

  it("lists, sorts, filters and scrolls through 100,000 actors, a page at a time", async () => {
    const { ask, first, close } = asker(crowd);
    for (const query of ["sort=at", "sort=address&order=up", "sort=state", `sort=at&from=${actors / 2}`, "search=counter/99"]) {
      const { answer, seconds } = await ask<ActorList>(`actors?machine=counter&limit=200&${query}`);
      expect([answer.of, answer.lines.length], query).toEqual([actors, 200]);
      expect(seconds, query).toBeLessThan(answerMax);
    }
    const { answer: middle } = await ask<ActorList>(`actors?sort=at&order=up&from=${actors / 2}&limit=2`);
    expect(middle.lines.map(({ at }) => at)).toEqual([1_000_000 + actors / 2, 1_000_001 + actors / 2]);
    // A frame says how many stand where, not who.
    const frame = await first(`events?hashes=${hash}`);
    expect(frame.fleets[0]?.states["counter.odd"]).toBe(Math.floor(actors / 3));
    expect(JSON.stringify(frame).length).toBeLessThan(2_000);
    close();
  });

  it("goes to any of 10,000 entries of a history", async () => {
    const { ask, close } = asker(long);
    const opened = await ask<History>(`history?address=counter/1&from=${entries / 2}&limit=200`);
    expect([opened.answer.last, opened.answer.entries.length, opened.answer.entries[0]?.seq]).toEqual([entries, 200, entries / 2]);
    expect(opened.seconds).toBeLessThan(answerMax * 2);
    for (const seq of [1, entries / 2, entries]) {
      const { answer, seconds } = await ask<Moment>(`moment?address=counter/1&seq=${seq}`);
      expect(answer.context).toEqual({ count: seq - 1 });
      expect(seconds).toBeLessThan(0.2);
    }
    close();
  });
});
