import { core } from "./core.ts";
import { dispatch } from "./dispatch.ts";
import { http } from "./http.ts";
import { memory } from "./memory.ts";
import { type Figure, report } from "./report.ts";
import { outboxBench } from "./outbox.ts";
import { soak } from "./soak.ts";

/** `npm run bench -- core|dispatch|http|inspector|outbox|soak [--json] [--quick]` */
const suites: Readonly<Record<string, (quick: boolean) => Promise<ReadonlyArray<Figure>>>> = {
  core: async (quick) => [...(await core(quick ? { rounds: 1, tasks: 2_000, alone: 100 } : { rounds: 5, tasks: 20_000, alone: 1_000 })), ...(await memory(quick ? 5_000 : 100_000))],
  http: (quick) => http(quick ? { singles: 500, bulks: 10, alone: 50 } : { singles: 10_000, bulks: 200, alone: 1_000 }),
  // Loaded where it is asked for: it brings a browser.
  inspector: async (quick) => [
    ...(await (await import("./inspector.ts")).inspector(quick ? { pacedSeconds: 1, seconds: 0.2, blocks: 1 } : { pacedSeconds: 4, seconds: 0.4, blocks: 16 })),
    ...(await (await import("./inspector-scale.ts")).inspectorScale(quick ? { actors: 10_000, entries: 1_000 } : { actors: 100_000, entries: 10_000 })),
  ],
  dispatch: async (quick) => dispatch(quick ? 20_000 : 200_000),
  outbox: (quick) => outboxBench(quick ? { rounds: 1, entries: 5_000, requests: 1_000 } : { rounds: 5, entries: 50_000, requests: 5_000 }),
  soak: (quick) => soak(quick ? 100_000 : 1_000_000),
};

const [name = "core", ...flags] = process.argv.slice(2);
const suite = suites[name];
if (suite === undefined) {
  console.error(`there is no benchmark "${name}"; there are: ${Object.keys(suites).join(", ")}`);
  process.exitCode = 2;
} else report(await suite(flags.includes("--quick")), flags.includes("--json"));
