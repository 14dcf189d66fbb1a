import { childAddress, parentAddress } from "../domain/address.ts";
import type { Entry } from "../analysis/index.ts";
import { type ActorView, type DeadLetter, parkedRemedies, type SentEvent, type Time } from "../engine/index.ts";
import { Gate } from "../replay/index.ts";
import { safeHeaders } from "./assets.ts";
import { type Bulk, doBulk, previewBulk } from "./bulk.ts";
import { type Charts, stateText } from "./charts.ts";
import type { Fleets, ListQuery } from "./fleets.ts";
import type { Frames } from "./frames.ts";
import { dueOf } from "./journal-source.ts";
import { movesOf, waitingOf } from "./moves.ts";
import { type Replays, timerLines } from "./replays.ts";
import { exported } from "./history-export.ts";
import { sequence } from "./message-sequence.ts";
import { clean } from "./redaction.ts";
import { refuse } from "./refusal.ts";
import type { Source } from "./source.ts";
import { familyOf, parkedLine, type Stuck } from "./stuck.ts";
import { orderedMax, taskPart, wrongOrder } from "./task-answers.ts";
import { type TaskQuery, type Tasks, taskSorts } from "./tasks.ts";
import type { ActorPage, Chart, ChildLine, GateAnswer, Incident, LetterLine, MachineLine, Overview, Role } from "./wire.ts";

/** Everything that answers are made of. */
export interface Feed {
  readonly source: Source;
  readonly charts: Charts;
  readonly fleets: Fleets;
  readonly frames: Frames;
  readonly replays: Replays;
  /** The machine that wrote an actor, with its options where they were given. */
  readonly machineOf: (view: Pick<ActorView, "hash">) => Entry | undefined;
  readonly stuck: Stuck;
  /** Where there is a dispatcher. */
  readonly tasks: Tasks | undefined;
  readonly time: Time;
  readonly hidden: ReadonlySet<string>;
  readonly restLater: () => void;
}

/** Lines that one answer has at most. */
const linesMax = 1_000;
/** Parked actors, and overdue ones, that the overview names. */
const stuckMax = 10;
/** Actors, and entries of each, that the deploy gate of the page is told; `taskwright compare` takes all. */
const actorsTold = 100;
const entriesTold = 200;

/** With its length, so that a server sends it with its head and not as a stream. */
const json = (value: unknown): Response => {
  const body = Buffer.from(JSON.stringify(value));
  return new Response(body, { headers: { ...safeHeaders, "content-type": "application/json", "content-length": String(body.length), "cache-control": "no-store" } });
};

/** Answers one call of the page. */
export const answer = async (feed: Feed, request: Request, url: URL, path: string, role: Role, by: string): Promise<Response> => {
  const query = url.searchParams;
  const text = (name: string): string => query.get(name) ?? refuse(400, "missing_parameter", `give ${name}`);
  const number = (name: string, fallback: number): number => {
    const value = Number(query.get(name) ?? fallback);
    return Number.isSafeInteger(value) && value >= 0 ? value : refuse(400, "invalid_parameter", `${name} must be a whole number`);
  };
  const limit = Math.min(number("limit", 100), linesMax);
  if (request.method === "GET") {
    switch (path) {
      case "overview":
        return json(await overview(feed, role));
      case "chart":
        return json(await chart(feed, text("hash")));
      case "actors":
        return json(await actors(feed, listQuery(query, number("from", 0), limit)));
      case "tasks":
        return json(clean(feed, await looked(feed, (tasks) => tasks.list(taskQuery(query, number("from", 0), limit)))));
      case "task-ids":
        return json(await looked(feed, async (tasks) => tasks.ids(taskQuery(query, 0, 0)).slice(0, orderedMax)));
      case "workers":
        return json(await dispatcherOf(feed).workers.list());
      case "queues":
        return json(await dispatcherOf(feed).queues.list());
      case "actor":
        return json(await actorPage(feed, text("address"), query.has("after") ? number("after", 0) : undefined));
      case "history":
        return json(await feed.replays.history(text("address"), number("from", 1), limit));
      case "moment":
        return json(clean(feed, (await feed.replays.moment(text("address"), number("seq", 1))) ?? refuse(404, "entry_missing", "there is no such entry")));
      case "sequence":
        return json(await sequence(feed.source, text("address")));
      case "letters":
        return json((await feed.source.letters({ after: number("after", 0), limit, ...(query.has("address") ? { address: text("address") } : {}) })).map((letter) => letterLine(feed, letter)));
      case "entries":
        return json(clean(feed, (await feed.source.entries?.(text("outbox"), number("after", 0), limit)) ?? []));
      case "gate":
        return json(await gate(feed, text("left"), text("right")));
      case "export":
        return exported(feed, text("address"));
      case "events":
        return events(feed, query);
      default:
        return refuse(404, "unknown_path", "there is nothing here");
    }
  }
  if (request.method !== "POST") return refuse(405, "method_not_allowed", "only GET and POST are answered");
  // A page of another site can't set this header without asking first, and is never allowed to.
  if (request.headers.get("x-taskwright-inspector") !== "1") return refuse(403, "foreign_page", "only the inspector's own page may do this");
  const body = (await request.json()) as Readonly<Record<string, unknown>>;
  if (path === "what-if") {
    const { address, seq, events: told } = body as { readonly address?: unknown; readonly seq?: unknown; readonly events?: unknown };
    if (typeof address !== "string" || !Number.isSafeInteger(seq) || !isEvents(told))
      return refuse(400, "invalid_parameter", "give an address, an entry's number as seq, and events, each with its type");
    const what = (await feed.replays.whatIf(address, seq as number, told)) ?? refuse(404, "not_replayable", "this entry can't be stepped: its machine is not at hand");
    const isHidden = (at: string) => at.split(/[.[\]]+/).some((part) => feed.hidden.has(part));
    return json(clean(feed, { ...what, fields: what.fields.map((field) => (isHidden(field.path) ? { path: field.path, left: "[hidden]", right: "[hidden]" } : field)) }));
  }
  if (path === "preview" || path === "bulk") {
    const wrong = body.action === "order" ? wrongOrder(body, path === "preview") : undefined;
    if (wrong !== undefined) return refuse(400, "invalid_order", wrong);
  }
  if (path === "preview") return json(await previewBulk(feed.source, body as unknown as Bulk));
  if (role !== "operator") return refuse(403, "not_operator", "this needs the operator's role; this page may only look");
  if (path === "send") {
    const { address, event } = body as { readonly address: string; readonly event: SentEvent };
    return json(await (feed.source.send ?? refuse(409, "read_only", "this source can only be read"))(address, event, by));
  }
  if (path === "bulk") return json(await doBulk(feed.source, body as unknown as Bulk, by));
  return refuse(404, "unknown_path", "there is nothing here");
};

const dispatcherOf = ({ source }: Feed) => source.dispatcher ?? refuse(409, "no_dispatcher", "this inspector was given no dispatcher; its lists are lists of actors");

/** What a list of tasks says, while somebody looks at it. */
const looked = async <A>(feed: Feed, ask: (tasks: Tasks) => Promise<A>): Promise<A> => {
  dispatcherOf(feed);
  const tasks = feed.tasks as Tasks;
  await soon(tasks.watch());
  if (feed.frames.size === 0) feed.restLater();
  return ask(tasks);
};

const taskQuery = (query: URLSearchParams, from: number, limit: number): TaskQuery => ({
  state: query.get("state") ?? undefined,
  queue: query.get("queue") ?? undefined,
  kind: query.get("kind") ?? undefined,
  search: query.get("search") ?? undefined,
  sort: taskSorts.find((sort) => sort === query.get("sort")) ?? "createdAt",
  descending: query.get("order") !== "up",
  from,
  limit,
});

const isEvents = (value: unknown): value is ReadonlyArray<SentEvent> =>
  Array.isArray(value) && value.every((event: unknown) => typeof event === "object" && event !== null && typeof (event as { readonly type?: unknown }).type === "string");

const machineLines = async ({ charts, fleets }: Feed): Promise<ReadonlyArray<MachineLine>> => {
  const hashes = new Set([...charts.given.map(({ graph }) => graph.hash), ...fleets.hashes]);
  const lines: Array<MachineLine> = [];
  for (const hash of hashes) {
    const drawn = await charts.of(hash);
    const { machine, version, description } = drawn?.graph ?? { machine: fleets.machineOf(hash) ?? "?", version: "?", description: "no chart of it is at hand" };
    lines.push({
      machine,
      version,
      hash,
      description: description ?? "",
      current: charts.forms.latest(machine)?.hash === hash,
      replayable: charts.forms.of(hash) !== undefined,
      fleet: fleets.fleet(hash, drawn),
    });
  }
  return lines.sort((left, right) => left.machine.localeCompare(right.machine) || right.version.localeCompare(left.version, undefined, { numeric: true }));
};

const overview = async (feed: Feed, role: Role): Promise<Overview> => {
  const { source, fleets, time } = feed;
  await soon(fleets.watch());
  if (feed.frames.size === 0) feed.restLater();
  const letters = await source.letters({ limit: linesMax });
  const failed = await source.list({ status: "error", limit: 20 });
  const engine = source.engine();
  const incidents: ReadonlyArray<Incident> = [
    ...(engine.cause === undefined ? [] : [{ at: time.now(), address: "", text: `the engine is ${engine.state}: ${engine.cause}` }]),
    ...letters.slice(-10).map(({ at, address, error, event }) => ({ at, address, text: `${event.type}: ${error.message}` })),
    ...failed.map(({ at, address, error }) => ({ at, address, text: error?.message ?? "it failed" })),
  ];
  const now = time.now();
  const outboxes = (await source.outboxes?.()) ?? [];
  const overdue = await feed.stuck.overdue();
  const parked = [...feed.stuck.parked().actors.values()];
  return {
    engine,
    source: source.kind,
    name: source.name,
    role,
    machines: await machineLines(feed),
    letters: letters.length,
    outboxes,
    stuck: [
      ...parked.slice(0, stuckMax).map((actor) => parkedLine(actor, fleets.movedAt(actor.address) ?? now)),
      ...overdue.lines.slice(0, stuckMax),
      ...outboxes
        .filter(({ poisoned, unknown }) => poisoned + unknown > 0)
        .map(({ name, poisoned, unknown }) => ({ at: now, address: `outbox/${name}`, text: `${poisoned} poisoned, ${unknown} of unknown outcome` })),
    ],
    stuckMore: Math.max(0, parked.length - stuckMax) + Math.max(0, overdue.lines.length - stuckMax) + overdue.more,
    work: source.dispatcher !== undefined,
    incidents: [...incidents].sort((left, right) => right.at - left.at).slice(0, 20),
    rate: fleets.rate,
    now,
  };
};

/** A first count of many actors goes on behind the answer. */
const soon = (counted: Promise<void>): Promise<void> => Promise.race([counted, new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))]);

const chart = async ({ charts, fleets, frames, restLater }: Feed, hash: string): Promise<Chart> => {
  const drawn = (await charts.of(hash)) ?? refuse(404, "unknown_machine", "no chart of this form is at hand");
  await soon(fleets.watch());
  if (frames.size === 0) restLater();
  return { graph: drawn.graph, replayable: charts.forms.of(hash) !== undefined, fleet: fleets.fleet(hash, drawn) };
};

const listQuery = (query: URLSearchParams, from: number, limit: number): ListQuery => {
  const sorts = ["address", "state", "at", "createdAt", "due"] as const;
  return {
    machine: query.get("machine") ?? undefined,
    status: query.get("status") ?? undefined,
    state: query.get("state") ?? undefined,
    search: query.get("search") ?? undefined,
    sort: sorts.find((sort) => sort === query.get("sort")) ?? "at",
    descending: query.get("order") !== "up",
    from,
    limit,
  };
};

const actors = async ({ fleets, frames, stuck, restLater }: Feed, query: ListQuery) => {
  await fleets.watch();
  if (frames.size === 0) restLater();
  const parked = stuck.parked();
  const isOfParked = query.status === "parked";
  if (isOfParked) await parked.looked;
  const { actors: known } = stuck.parked();
  const list = fleets.list(isOfParked ? { ...query, status: undefined, among: [...known.keys()] } : query);
  if (known.size === 0) return list;
  return {
    ...list,
    lines: list.lines.map((line) => {
      const reason = known.get(line.address)?.reason;
      return reason === undefined ? line : { ...line, parked: reason };
    }),
  };
};

const childLines = async ({ source }: Feed, view: ActorView): Promise<ReadonlyArray<ChildLine>> => {
  const found = await source.list({ parent: view.id, limit: 200 });
  return Promise.all(
    found.map(async ({ id, address, status, value, machine }) => {
      const own = Object.entries(view.children ?? {}).find(([name]) => childAddress(view.address, name) === address);
      return {
        id: own?.[0] ?? address.slice(address.lastIndexOf("/") + 1),
        address,
        src: own?.[1].src ?? machine,
        status,
        state: stateText(value),
        children: (await source.list({ parent: id, limit: 100 })).length,
      };
    }),
  );
};

const actorPage = async (feed: Feed, address: string, after: number | undefined): Promise<ActorPage> => {
  const { source, charts } = feed;
  const view = (await source.actor(address)) ?? refuse(404, "unknown_actor", `there is no actor "${address}"`);
  const drawn = await charts.of(view.hash);
  const active = drawn?.activeOf(view.value) ?? [];
  const children = await childLines(feed, view);
  const entry = feed.machineOf(view);
  const moves = entry === undefined ? [] : safely(() => movesOf(entry, view));
  const parked = source.parkedAs?.(view);
  const { verdict, reasons } =
    parked === undefined
      ? waitingOf(view, { now: feed.time.now(), machineOf: feed.machineOf, childrenOf: await familyOf(source, view) })
      : { verdict: "parked", reasons: [{ text: `${capital(parked.detail)}.` }, { text: `${capital(parkedRemedies[parked.reason])}.` }] };
  const task = address.startsWith("task/") ? await source.dispatcher?.get(address.slice("task/".length)) : undefined;
  const parents: Array<string> = [];
  for (let above = parentAddress(address); above !== undefined; above = parentAddress(above)) parents.unshift(above);
  const start = await source.historyStart(address);
  const due = view.status === "active" ? dueOf(view.timers) : undefined;
  const { machine, hash, version, status, seq, at, createdAt, context, tags, output, error, timers } = view;
  const way = after === undefined ? {} : { way: (await feed.replays.history(address, Math.max(after + 1, seq - linesMax + 1), linesMax)).entries };
  const page = clean(feed, {
    address,
    machine,
    hash,
    version,
    status,
    state: stateText(view.value),
    seq,
    at,
    createdAt,
    ...(due === undefined ? {} : { due }),
    ...(parked === undefined ? {} : { parked: parked.reason }),
    ...(task === undefined || source.dispatcher === undefined || feed.tasks === undefined ? {} : { task: await taskPart(source.dispatcher, feed.tasks, task) }),
    active,
    context,
    tags: tags.length > 0 || drawn === undefined ? tags : drawn.graph.nodes.filter(({ id }) => active.includes(id)).flatMap((node) => node.tags ?? []),
    output,
    error,
    timers: timerLines(timers ?? {}),
    children,
    parents,
    moves,
    verdict,
    waiting: reasons,
    cut: start?.seq ?? 0,
    replayable: charts.forms.of(hash) !== undefined,
    isDrawn: drawn !== undefined,
  });
  return { ...page, ...way };
};

/** A state that can't be read has no moves; why it waits says so. */
const safely = <A>(ask: () => ReadonlyArray<A>): ReadonlyArray<A> => {
  try {
    return ask();
  } catch {
    return [];
  }
};

const letterLine = (feed: Feed, { id, address, at, event, kind, error, action }: DeadLetter): LetterLine =>
  clean(feed, { id, address, at, type: action ?? event.type, kind, error: error.message, event });

/** What those who live on one form would do on another. */
const gate = async ({ source, charts, fleets }: Feed, left: string, right: string): Promise<GateAnswer> => {
  const [writer, changed] = [charts.forms.of(left), charts.forms.of(right)];
  if (writer === undefined || changed === undefined || writer.id !== changed.id) return { actors: 0, same: 0, groups: [] };
  await fleets.watch();
  const query = { machine: writer.id, status: undefined, state: undefined, search: undefined, sort: "at", descending: true, from: 0, limit: linesMax } as const;
  const report = new Gate([charts.peek(right)?.entry ?? changed.original], { writers: [writer.original] });
  let told = 0;
  for (const { address, hash, seq } of fleets.list(query).lines) {
    if (hash !== left || seq > entriesTold || told >= actorsTold) continue;
    const view = await source.actor(address);
    if (view === undefined) continue;
    const start = await source.historyStart(address);
    const entries = await source.history(address, 0, entriesTold);
    report.add({ address, livedAt: address, machine: view.machine, version: view.version, hash, createdAt: view.createdAt, entries, ...(start === undefined ? {} : { start }) });
    told++;
  }
  const { actors, same, groups } = report.report();
  return { actors, same, groups: groups.map(({ kind, cause, actors: count, witness }) => ({ kind, cause, actors: count, address: witness.address, seq: witness.seq })) };
};

const events = (feed: Feed, query: URLSearchParams): Response => {
  const listed = (name: string) =>
    (query.get(name) ?? "")
      .split(",")
      .filter((value) => value !== "")
      .slice(0, 100);
  void feed.fleets.watch().catch(() => {});
  const stream = feed.frames.subscribe(listed("hashes"), query.getAll("actor").slice(0, 10), feed.restLater) ?? refuse(503, "too_many_pages", "too many pages listen; close some");
  return new Response(stream, { headers: { ...safeHeaders, "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store", "x-accel-buffering": "no" } });
};

const capital = (text: string): string => `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}`;
