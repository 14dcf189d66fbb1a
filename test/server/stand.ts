import { afterAll, onTestFinished } from "vitest";
import { assign, fromPromise, sendTo, setup } from "xstate";
import { makeOutboxes, openEngine, outboxRef, type ReplyTo, retry, type Taskwright } from "../../src/index.ts";
import type { OpenOptions } from "../../src/engine/index.ts";
import { listen, makeServer, newToken, type Server, type ServerOptions, type StoredToken } from "../../src/server/index.ts";
import { makeAsk } from "./conforming.ts";

/** Counts, answers, throws on demand, and has a deadline and a child. */
export const counter = setup({
  types: { context: {} as { count: number }, events: {} as { type: "ADD"; by?: number } | { type: "ASK"; replyTo: ReplyTo<{ type: "COUNTED"; count: number }> } | { type: "BREAK" } | { type: "END" } },
  guards: {
    breaks: () => {
      throw new Error("it is broken");
    },
  }, // prettier-ignore
  actions: {
    add: assign({ count: ({ context, event }) => context.count + (event.type === "ADD" ? (event.by ?? 1) : 0) }),
    answer: sendTo(
      ({ event }) => (event as { readonly replyTo: ReplyTo<{ type: "COUNTED"; count: number }> }).replyTo,
      ({ context }) => ({ type: "COUNTED" as const, count: context.count }),
    ),
    tellOutside: sendTo(outboxRef("outside"), ({ context }) => ({ type: "ENQUEUE", entries: [{ key: `n${context.count}`, type: "counted", payload: context.count }] })),
  },
  actors: { work: fromPromise(() => new Promise(() => {})) },
  delays: { patience: 3_600_000 },
}).createMachine({
  id: "counter",
  version: "1",
  description: "Counts.",
  context: { count: 0 },
  initial: "on",
  states: {
    on: {
      description: "It counts.",
      invoke: { id: "work", src: "work" },
      on: { ADD: { actions: ["add"] }, ASK: { actions: "answer" }, BREAK: { guard: "breaks" }, END: "off" },
      after: { patience: "off" },
    },
    off: { type: "final", description: "It has ended.", entry: "tellOutside" },
  },
});

export interface Stand {
  readonly engine: Taskwright;
  readonly server: Server;
  readonly url: string;
  readonly port: number;
  readonly ask: ReturnType<typeof makeAsk>;
  readonly logged: Array<{ readonly level: string; readonly message: string; readonly data?: unknown }>;
}

const quiet = (): void => {};

type StandOptions = Partial<Omit<ServerOptions, "engine">> & { readonly engine?: Partial<OpenOptions>; readonly headers?: Readonly<Record<string, string>> };

/** An engine with a server on a free port; both end with the test. */
export const stand = async (options: StandOptions = {}): Promise<Stand> => {
  const { close, ...opened } = await openStand(options);
  onTestFinished(close);
  return opened;
};

/** One for all tests of a file that only ask: made by the first of them. */
export const sharedStand = (options: StandOptions = {}): (() => Promise<Stand>) => {
  let opened: ReturnType<typeof openStand> | undefined;
  afterAll(async () => (await opened)?.close());
  return () => (opened ??= openStand(options));
};

const openStand = async (options: StandOptions) => {
  const { engine: engineOptions, headers, ...serverOptions } = options;
  const outboxes = makeOutboxes({ outside: { destination: () => retry("nobody is there") } });
  const engine = await openEngine({ machines: [counter], plugins: [outboxes], log: quiet, ...engineOptions });
  const logged: Stand["logged"] = [];
  const server = makeServer({ engine, outboxes, log: (entry) => logged.push(entry), ...serverOptions });
  const listening = await listen(server, { port: 0 });
  const close = async () => {
    await listening.close();
    await engine.close({ grace: 0 });
  };
  return { engine, server, url: listening.url, port: listening.port, ask: makeAsk(listening.url, headers), logged, close };
};

/** Tokens of each kind, with their texts. */
export const tokens = (): { readonly stored: ReadonlyArray<StoredToken>; readonly read: string; readonly operate: string; readonly worker: string } => {
  const made = { read: newToken("rita", ["read"]), operate: newToken("olaf", ["operate"]), worker: newToken("willy", ["worker"]) };
  return { stored: Object.values(made).map(({ stored }) => stored), read: made.read.token, operate: made.operate.token, worker: made.worker.token };
};
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
