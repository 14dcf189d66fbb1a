/*
 * `taskwright run` over a journal that is wrong on purpose: `node planted-run.js PLANT FILE DATABASE SLOTS`. Everything
 * but the journal is the command's own.
 */
import * as Effect from "effect/Effect";
import { processSignals } from "../../src/cli/interrupts.ts";
import { run } from "../../src/cli/run.ts";
import { processStreams } from "../../src/cli/streams.ts";
import type { OpenWork } from "../../src/cli/work.ts";
import { dispatchMachines, openDispatcher } from "../../src/dispatch/index.ts";
import { openEngine } from "../../src/engine/index.ts";
import { journalOf, type Plant } from "./planted.ts";

const [plant, file = "", database = "", slots] = process.argv.slice(2);

const openWork: OpenWork = async (options) => {
  const dispatch = dispatchMachines();
  const engine = await openEngine({ journal: journalOf({ file: options.database }, plant as Plant), machines: [], plugins: [dispatch] });
  const dispatcher = await openDispatcher(engine, dispatch, { slots: options.slots });
  return {
    dispatcher,
    health: () => ({ state: "well", cause: undefined }),
    close: async () => {
      await dispatcher.stop();
      await engine.close();
    },
  };
};

process.exitCode = await Effect.runPromise(run({ file, database, slots: Number(slots), json: true }, { streams: processStreams(), signals: processSignals, openWork }));
