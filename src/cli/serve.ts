import * as Effect from "effect/Effect";
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { shutdown, type ShutdownContext } from "../../machines/shutdown.ts";
import { dispatchMachines, type Kinds, openDispatcher } from "../dispatch/index.ts";
import { type DurableMachine, openEngine, type Plugin, systemTime } from "../engine/index.ts";
import type { OpenOptions } from "../engine/index.ts";
import type { InPromises, Outboxes } from "../delivery/index.ts";
import { makeSchedules } from "../orchestration/index.ts";
import { makeInspector } from "../inspector/index.ts";
import { listen, type Listening, makeServer, readServeConfig, remoteWorkers, runInMemory, type ServeConfig, type Server, type UnsafeServer } from "../server/index.ts";
import type { SignalSource } from "./interrupts.ts";
import { entriesOfFiles, moduleOf } from "./machine-files.ts";
import { refused } from "./refused.ts";
import type { Streams } from "./streams.ts";

export interface ServeOptions {
  readonly given: { readonly [Name in keyof ServeConfig]?: string };
  readonly config: string | undefined;
  readonly json: boolean;
}

/** What a module of machines may export. */
interface Given {
  readonly machines?: ReadonlyArray<OpenOptions["machines"][number]>;
  readonly plugins?: ReadonlyArray<Plugin>;
  readonly kinds?: Kinds;
  /** One of the plugins: the API shows it, and takes orders for it. */
  readonly outboxes?: Outboxes | InPromises<Outboxes>;
}

type Loaded = Required<Omit<Given, "outboxes">> & Pick<Given, "outboxes">;

const load = (files: ReadonlyArray<string>): Effect.Effect<Loaded, unknown> =>
  Effect.gen(function* () {
    const machines: Array<OpenOptions["machines"][number]> = [];
    const plugins: Array<Plugin> = [];
    let kinds: Kinds = {};
    let outboxes: Given["outboxes"];
    for (const file of files) {
      if (existsSync(file) && statSync(file).isDirectory()) {
        machines.push(...(yield* entriesOfFiles([file])));
        continue;
      }
      const given = yield* Effect.tryPromise({
        try: () => moduleOf(file) as Promise<Given>,
        catch: (error) => refused(`${file}: ${error instanceof Error ? error.message : String(error)}`),
      });
      if (given.machines === undefined && given.plugins === undefined && given.kinds === undefined && given.outboxes === undefined) {
        const none = refused(`${file}: it exports no machine, and none of "machines", "plugins", "outboxes" and "kinds"; write "export const machines = [order];"`);
        machines.push(...(yield* Effect.mapError(entriesOfFiles([file]), () => none)));
        continue;
      }
      machines.push(...(given.machines ?? []));
      plugins.push(...(given.plugins ?? []));
      if (given.outboxes !== undefined) {
        if (outboxes !== undefined) return yield* refused(`${file}: another module exports "outboxes" already; make all of them in one`);
        outboxes = given.outboxes;
        if (!plugins.includes(outboxes)) plugins.push(outboxes);
      }
      kinds = { ...kinds, ...given.kinds };
    }
    return { machines, plugins, kinds, ...(outboxes === undefined ? {} : { outboxes }) };
  });

/**
 * `taskwright serve`: an engine, its dispatcher and the server over both, until a signal. Succeeds with the exit code: 0
 * where everything ended in order within its budget, 1 otherwise.
 */
export const serve = ({ given, config: file, json }: ServeOptions, streams: Streams, signals: SignalSource): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    const config: ServeConfig = yield* readServeConfig(given, process.env, file) as Effect.Effect<ServeConfig, UnsafeServer>;
    const loaded = yield* load(config.machines);
    return yield* Effect.tryPromise({ try: () => work(config, loaded, json, streams, signals), catch: (error) => error });
  });

const work = async (config: ServeConfig, { machines: given, plugins, kinds, outboxes }: Loaded, json: boolean, streams: Streams, signals: SignalSource): Promise<number> => {
  const tell = (event: string, data: object, words: string) => streams.out(json ? `${JSON.stringify({ event, ...data })}\n` : `${words}\n`);
  const machines = given as ReadonlyArray<DurableMachine>;
  const remote = remoteWorkers();
  const schedules = makeSchedules();
  const dispatch = dispatchMachines({ kinds, transports: { remote: remote.transport } });
  const engine = await openEngine({ database: config.database, machines, plugins: [dispatch, schedules, ...plugins] });
  let dispatcher: Awaited<ReturnType<typeof openDispatcher>> | undefined;
  let listening: Listening;
  let server: Server;
  try {
    dispatcher = await openDispatcher(engine, dispatch, { slots: config.slots });
    schedules.attach(dispatcher);
    const inspector = makeInspector({
      engine,
      dispatcher,
      ...(outboxes === undefined ? {} : { outboxes }),
      name: path.basename(config.database),
    });
    server = makeServer({
      engine,
      dispatcher,
      schedules,
      ...(outboxes === undefined ? {} : { outboxes }),
      remoteWorkers: remote,
      allowedHosts: config.allowedHosts,
      allowedOrigins: config.allowedOrigins,
      ...(config.tokens === "" ? {} : { tokens: config.tokens }),
      inspector,
      log: ({ level, message, data }) => {
        if (level !== "info" || json) streams.error(json ? `${JSON.stringify({ level, message, data })}\n` : `${level}: ${message}${data === undefined ? "" : ` ${JSON.stringify(data)}`}\n`);
      },
    });
    listening = await listen(server, config);
  } catch (error) {
    await dispatcher?.stop();
    await engine.close();
    throw error;
  }
  const opened = dispatcher;
  tell("listening", { url: listening.url, pid: process.pid }, `${listening.url} serves ${config.database} (to look at: ${listening.url}/inspector, to program against: ${listening.url}/docs)`);

  return new Promise<number>((resolve) => {
    const machine = runInMemory(shutdown, { budgetMs: config.budgetMs }, systemTime(), {
      drain: () => {
        tell("draining", {}, "what runs may end; once more to stop at once");
        server.drain();
        void opened.drain().then(() => machine.tell({ type: "DRAINED" }));
      },
      close: () => {
        void (async () => {
          await listening.close();
          await opened.stop();
          await engine.close({ grace: Math.floor(config.budgetMs / 10) });
          machine.tell({ type: "CLOSED" });
        })();
      },
      exit: () => {
        stopListening();
        const { isClean } = machine.context() as ShutdownContext;
        tell("stopped", { isClean }, isClean ? "stopped" : "stopped, not everything in order: the next engine takes it up");
        resolve(isClean ? 0 : 1);
      },
    });
    const stopListening = signals(() => machine.tell({ type: "SIGNAL" }));
  });
};
