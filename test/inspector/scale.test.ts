import { describe, expect, it } from "vitest";
import { graphOf } from "../../src/analysis/index.ts";
import { type ActorView, type HistoryEntry, systemTime } from "../../src/engine/index.ts";
import { fileSource, inspect } from "../../src/inspector/index.ts";
import type { Source } from "../../src/inspector/source.ts";
import type { ActorList, Frame, History, Moment } from "../../src/inspector/wire.ts";
import { counter } from "./shop.ts";

const actors = 100_000;
const entries = 10_000;
/** The same is asked of a tenth as much: what an answer costs on this machine, at this moment. */
const tenth = 10;
/**
 * What an answer may cost compared with that. Where it goes through all once it costs ten times as much, or as it sorts
 * twelve; what grows with the square of the number costs a hundred times.
 */
const ratioMax = 40;
/** Both are asked so often, in turns; the best of each counts. */
const rounds = 3;

const { hash } = graphOf(counter);
const viewOf = (id: number, actors = 1): ActorView =>
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
const crowdOf = (actors: number): Source => ({
  ...fileSource({ histories: [], charts: [] } as never, "crowd"),
  list: async ({ after = 0, limit }) => Array.from({ length: Math.max(0, Math.min(limit, actors - after)) }, (_, index) => viewOf(after + index + 1, actors)),
});
/** A source with one actor that has seen much. */
const longOf = (entries: number): Source => {
  const ticks: ReadonlyArray<HistoryEntry> = Array.from({ length: entries }, (_, index) => ({
    seq: index + 1,
    at: 1_000_000 + index,
    event: index === 0 ? { type: "taskwright.start" } : { type: "TICK" },
    outcome: "handled",
    from: "",
    stateHash: "",
  }));
  return {
    ...crowdOf(0),
    actor: async () => ({ ...viewOf(1), seq: entries }),
    history: async (_, after, limit) => ticks.slice(after, after + limit),
    historyStart: async () => undefined,
  };
};

describe("inspector > scale", () => {
  const asker = (source: Source) => {
    const inspector = inspect(source, [counter], { time: systemTime() });
    return {
      close: inspector.close,
      ask: async <A>(path: string): Promise<A> => (await (await inspector.fetch(new Request(`http://localhost/api/${path}`))).json()) as A,
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
  type Asker = ReturnType<typeof asker>;

  /** How much more it costs to ask much than to ask a tenth of it. */
  const ratioOf = async (sourceOf: (size: number) => Source, size: number, work: (asker: Asker, size: number) => Promise<void>): Promise<number> => {
    const best = { small: Number.POSITIVE_INFINITY, large: Number.POSITIVE_INFINITY };
    for (let round = 0; round < rounds; round++) {
      for (const [name, some] of [
        ["small", size / tenth],
        ["large", size],
      ] as const) {
        const its = asker(sourceOf(some));
        const before = process.cpuUsage();
        await work(its, some);
        const { user, system } = process.cpuUsage(before);
        best[name] = Math.min(best[name], user + system);
        its.close();
      }
    }
    return best.large / best.small;
  };

  it("lists, sorts, filters and scrolls through 100,000 actors, a page at a time", async () => {
    const ratio = await ratioOf(crowdOf, actors, async ({ ask }, size) => {
      for (const query of ["sort=at", "sort=address&order=up", "sort=state", `sort=at&from=${size / 2}`, "search=counter/99"]) {
        const answer = await ask<ActorList>(`actors?machine=counter&limit=200&${query}`);
        expect([answer.of, answer.lines.length <= 200], query).toEqual([size, true]);
        if (size === actors) expect(answer.lines.length, query).toBe(200);
      }
    });
    expect(ratio).toBeLessThan(ratioMax);
    const { ask, first, close } = asker(crowdOf(actors));
    const middle = await ask<ActorList>(`actors?sort=at&order=up&from=${actors / 2}&limit=2`);
    expect(middle.lines.map(({ at }) => at)).toEqual([1_000_000 + actors / 2, 1_000_001 + actors / 2]);
    // A frame says how many stand where, not who.
    const frame = await first(`events?hashes=${hash}`);
    expect(frame.fleets[0]?.states["counter.odd"]).toBe(Math.floor(actors / 3));
    expect(JSON.stringify(frame).length).toBeLessThan(2_000);
    close();
  });

  it("goes to any of 10,000 entries of a history", async () => {
    const ratio = await ratioOf(longOf, entries, async ({ ask }, size) => {
      const opened = await ask<History>(`history?address=counter/1&from=${size / 2}&limit=200`);
      expect([opened.last, opened.entries.length, opened.entries[0]?.seq]).toEqual([size, 200, size / 2]);
      for (const seq of [1, size / 2, size]) expect((await ask<Moment>(`moment?address=counter/1&seq=${seq}`)).context).toEqual({ count: seq - 1 });
    });
    expect(ratio).toBeLessThan(ratioMax);
  });
});
