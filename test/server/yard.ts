import { onTestFinished } from "vitest";
import { dispatchMachines, openDispatcher, openEngine } from "../../src/index.ts";
import type { Kinds } from "../../src/dispatch/index.ts";
import type { OpenOptions } from "../../src/engine/index.ts";
import { listen, makeServer, remoteWorkers, type ServerOptions } from "../../src/server/index.ts";
import { makeAsk } from "./conforming.ts";

/** An engine with a dispatcher, and a server that remote workers reach. */
interface YardOptions extends Partial<Omit<ServerOptions, "engine">> {
  readonly kinds?: Kinds;
  readonly database?: string;
  readonly machines?: OpenOptions["machines"];
  readonly slots?: number;
}

export const yard = async ({ kinds = { greet: {} }, database, machines = [], slots = 0, ...options }: YardOptions = {}) => {
  const remote = remoteWorkers();
  const dispatch = dispatchMachines({ kinds, transports: { remote: remote.transport } });
  const engine = await openEngine({ machines: machines as [], plugins: [dispatch], ...(database === undefined ? {} : { database }) });
  const dispatcher = await openDispatcher(engine, dispatch, { slots });
  const logged: Array<{ readonly level: string; readonly message: string; readonly data?: unknown }> = [];
  const server = makeServer({ engine, dispatcher, remoteWorkers: remote, log: (entry) => logged.push(entry), ...options });
  const listening = await listen(server, { port: 0 });
  let isOpen = true;
  const close = async () => {
    if (!isOpen) return;
    isOpen = false;
    await listening.close();
    await dispatcher.stop();
    await engine.close({ grace: 0 });
  };
  onTestFinished(close);
  return { engine, dispatcher, server, url: listening.url, port: listening.port, ask: makeAsk(listening.url), logged, close };
};
