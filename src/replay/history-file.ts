import { parseJson, parseState, type StoredState } from "../actor/index.ts";
import type { HistoryEntry, HistoryStart } from "../engine/index.ts";
import { HistoryFileInvalid } from "./errors.ts";
import type { History } from "./history.ts";
import { redacted, type Redaction } from "./redact.ts";

/** The first line of a history file names the format, and this. */
export const historyFileVersion = 1;
const format = "taskwright.histories";

/** One form of a machine, as the journal keeps it. */
export interface ChartLine {
  readonly id: string;
  readonly version: string;
  readonly hash: string;
  /** The chart as JSON text. */
  readonly chart: string;
}

/** What a history file holds. */
export interface HistoryFile {
  readonly histories: ReadonlyArray<History>;
  /** The charts of the forms that wrote them. */
  readonly charts: ReadonlyArray<ChartLine>;
  /** The paths at which it was redacted. */
  readonly redacted: ReadonlyArray<string>;
}

export interface ExportOptions {
  readonly charts?: ReadonlyArray<ChartLine>;
  readonly redact?: Redaction;
}

/** Histories as the lines of a file, each without its end. docs/reference/history-file.md describes them. */
export function* historyLines(histories: ReadonlyArray<History>, { charts = [], redact }: ExportOptions = {}): Generator<string, void> {
  const told = redact === undefined ? histories : redacted(histories, redact);
  const line = (kind: string, fields: object) => JSON.stringify({ kind, ...fields });
  const used = new Set(told.flatMap(({ hash, start, entries }) => [hash, ...(start === undefined ? [] : [start.hash]), ...entries.flatMap(({ event }) => formsIn(event))]));
  yield line(format, { version: historyFileVersion, ...(redact === undefined ? {} : { redacted: redact.paths }) });
  for (const { id, version, hash, chart } of charts) if (used.has(hash)) yield line("machine", { id, version, hash, chart: JSON.parse(chart) as unknown });
  let count = 0;
  for (const { address, livedAt, machine, version, hash, createdAt, start, entries, state } of told) {
    yield line("actor", { address, ...(livedAt === address ? {} : { livedAt }), machine, version, hash, createdAt });
    if (start !== undefined) yield line("checkpoint", start);
    for (const { seq, at, event, outcome, from, stateHash } of entries) {
      yield line("entry", { seq, at, event, outcome, ...(from === "" ? {} : { from }), ...(stateHash === "" ? {} : { stateHash }) });
      count++;
    }
    if (state !== undefined) yield line("state", { state });
  }
  yield line("end", { actors: told.length, entries: count });
}

const formsIn = (event: { readonly type: string }): ReadonlyArray<string> => {
  const { from, to } = event as { readonly from?: { readonly hash?: string }; readonly to?: { readonly hash?: string } };
  return event.type === "taskwright.migrate" ? [from?.hash ?? "", to?.hash ?? ""] : [];
};

/** Histories as the text of a file. */
export const writeHistories = (histories: ReadonlyArray<History>, options?: ExportOptions): string => [...historyLines(histories, options), ""].join("\n");

type Line = Readonly<Record<string, unknown>>;
type Building = { -readonly [Key in keyof Omit<History, "entries">]: History[Key] } & { entries: Array<HistoryEntry> };

/** Reads the text of a history file. Throws `HistoryFileInvalid`, with the line. */
export const readHistories = (text: string): HistoryFile => {
  const histories: Array<Building> = [];
  const charts: Array<ChartLine> = [];
  let paths: ReadonlyArray<string> = [];
  let isOver = false;
  let number = 0;
  const refuse = (detail: string): never => {
    throw new HistoryFileInvalid({ line: number, detail });
  };
  const parsed = (json: string): Line => {
    try {
      const line = parseJson(json);
      if (typeof line === "object" && line !== null && !Array.isArray(line)) return line as Line;
    } catch {
      // Told below.
    }
    return refuse("it is no JSON object");
  };
  const current = (): Building => histories.at(-1) ?? refuse("it belongs to an actor, and none was named before it");
  for (const json of text.split("\n")) {
    number++;
    if (json.trim() === "") continue;
    const { kind, ...line } = parsed(json);
    if (number === 1) {
      if (kind !== format) refuse(`a history file begins with {"kind":"${format}"}`);
      if (line.version !== historyFileVersion) refuse(`it has version ${JSON.stringify(line.version)} of the format, this program reads version ${historyFileVersion}`);
      paths = (line.redacted ?? []) as ReadonlyArray<string>;
      continue;
    }
    if (isOver) refuse("something stands behind the end");
    switch (kind) {
      case "machine":
        charts.push({ ...demanded(line, refuse, { id: "string", version: "string", hash: "string" }), chart: JSON.stringify(line.chart) } as ChartLine);
        break;
      case "actor": {
        const actor = demanded(line, refuse, { address: "string", machine: "string", version: "string", hash: "string", createdAt: "number" }) as unknown as History;
        histories.push({ ...actor, livedAt: (line.livedAt as string | undefined) ?? actor.address, entries: [] });
        break;
      }
      case "checkpoint": {
        const { state, ...start } = demanded(line, refuse, { seq: "number", at: "number", version: "string", hash: "string", state: "object" }) as unknown as HistoryStart;
        current().start = { ...start, input: line.input, state: stateOf(state, refuse) };
        break;
      }
      case "entry": {
        const entry = demanded(line, refuse, { seq: "number", at: "number", event: "object", outcome: "string" }) as unknown as HistoryEntry;
        if (typeof entry.event?.type !== "string") refuse("its event has no type");
        current().entries.push({ ...entry, from: (line.from as string | undefined) ?? "", stateHash: (line.stateHash as string | undefined) ?? "" });
        break;
      }
      case "state":
        current().state = stateOf(line.state, refuse);
        break;
      case "end": {
        const entries = histories.reduce((sum, history) => sum + history.entries.length, 0);
        if (line.actors !== histories.length || line.entries !== entries)
          refuse(`it says ${String(line.actors)} actors and ${String(line.entries)} entries, there are ${histories.length} and ${entries}`);
        isOver = true;
        break;
      }
      default:
        refuse(`a line of kind ${JSON.stringify(kind)} is not known`);
    }
  }
  if (!isOver) refuse("the end is missing: the file was cut off");
  return { histories, charts, redacted: paths };
};

type Refuse = (detail: string) => never;

const demanded = (line: Line, refuse: Refuse, fields: Readonly<Record<string, "string" | "number" | "object">>): Line => {
  for (const [name, type] of Object.entries(fields)) if (typeof line[name] !== type || line[name] === null) refuse(`its "${name}" must be ${type === "object" ? "an object" : `a ${type}`}`);
  return Object.fromEntries(Object.keys(fields).map((name) => [name, line[name]]));
};

const stateOf = (state: unknown, refuse: Refuse): StoredState => {
  try {
    return parseState(JSON.stringify(state));
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
};
