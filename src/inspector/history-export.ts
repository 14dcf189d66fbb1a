import { type History as Past, writeHistories } from "../replay/index.ts";
import type { Feed } from "./answers.ts";
import { safeHeaders } from "./assets.ts";
import { clean } from "./redaction.ts";
import { refuse } from "./refusal.ts";

/** Entries that are read at a time. */
const page = 1_000;

/** The history as a file that `taskwright inspect` opens. What must not be shown is not in it, and then neither are fingerprints. */
export const exported = async (feed: Feed, address: string): Promise<Response> => {
  const { source, charts, hidden } = feed;
  const view = (await source.actor(address)) ?? refuse(404, "unknown_actor", `there is no actor "${address}"`);
  const start = await source.historyStart(address);
  const entries = [];
  for (let after = 0; ; after = entries.at(-1)?.seq ?? after) {
    const rows = await source.history(address, after, page);
    entries.push(...rows);
    if (rows.length < page) break;
  }
  const drawn = charts.forms.of(view.hash);
  const state = {
    status: view.status,
    value: view.value,
    context: view.context,
    ...(view.output === undefined ? {} : { output: view.output }),
    ...(view.error === undefined ? {} : { error: view.error }),
    ...(Object.keys(view.timers ?? {}).length === 0 ? {} : { timers: view.timers }),
    ...(Object.keys(view.children ?? {}).length === 0 ? {} : { children: view.children }),
  };
  const tokens = Math.max(0, ...Object.values({ ...view.timers, ...view.children }).map(({ token }) => token));
  const past = {
    ...{ address, livedAt: address, machine: view.machine, version: view.version, hash: view.hash, createdAt: view.createdAt },
    ...(start === undefined ? {} : { start }),
    entries: hidden.size === 0 ? entries : entries.map((entry) => ({ ...entry, stateHash: "" })),
    state: tokens > 0 ? { ...state, tokens } : state,
  } as unknown as Past;
  const graph = drawn === undefined ? [] : [{ id: drawn.id, version: drawn.version, hash: drawn.hash, chart: drawn.chart }];
  const file = writeHistories([clean(feed, past)], { charts: graph });
  const name = address.replaceAll(/[^\w.-]+/g, "-");
  return new Response(file, { headers: { ...safeHeaders, "content-type": "application/jsonl; charset=utf-8", "content-disposition": `attachment; filename="${name}.jsonl"` } });
};
