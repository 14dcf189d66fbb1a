/*
 * What goes between the feed and the page, as JSON. The page imports these types alone.
 */
import type { Graph } from "../analysis/index.ts";
import type { PlaceOrder, TaskOrder, TaskPart } from "./task-wire.ts";

export type { EdgeKind, Graph, GraphEdge, GraphNode } from "../analysis/index.ts";

/** What somebody may do who looks. `operator`: also send events, requeue and drop. */
export type Role = "viewer" | "operator";

/** A form of a machine that is registered, or that an actor of the journal has. */
export interface MachineLine {
  readonly machine: string;
  readonly version: string;
  readonly hash: string;
  readonly description: string;
  /** New actors start with it. */
  readonly current: boolean;
  /** Its code is at hand: histories of its actors can be stepped again. */
  readonly replayable: boolean;
  readonly fleet: Fleet;
}

/** Where the actors of one form of a machine stand, and how they came there since somebody watches. */
export interface Fleet {
  readonly hash: string;
  /** Actors per state id; a parent counts those of its children. */
  readonly states: Readonly<Record<string, number>>;
  /** Actors per status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** How often each edge was taken since `since`. */
  readonly edges: Readonly<Record<string, number>>;
  /** How long actors stood in a state that they left since then, in milliseconds. */
  readonly dwell: Readonly<Record<string, Dwell>>;
  readonly total: number;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** False while the stored actors are still being counted. */
  readonly complete: boolean;
}
export interface Dwell {
  readonly count: number;
  readonly mean: number;
  readonly max: number;
}

export interface ActorLine {
  readonly address: string;
  readonly machine: string;
  readonly hash: string;
  readonly status: string;
  /** In short: `active.running`. */
  readonly state: string;
  readonly seq: number;
  readonly at: number;
  readonly createdAt: number;
  /** When it moves by itself; absent: it waits for others. */
  readonly due?: number;
  /** Why no registered machine may go on with it. */
  readonly parked?: string;
}

export interface ActorList {
  readonly total: number;
  /** Of all that are looked at, before the filter. */
  readonly of: number;
  readonly from: number;
  readonly lines: ReadonlyArray<ActorLine>;
}

export interface TimerLine {
  readonly id: string;
  readonly due: number;
  /** The delay, or the event that is sent. */
  readonly label: string;
  readonly held: boolean;
}

export interface ChildLine {
  readonly id: string;
  readonly address: string;
  readonly src: string;
  readonly status: string;
  readonly state: string;
  readonly children: number;
}

/** One actor, whole. */
export interface ActorPage extends ActorLine {
  readonly version: string;
  readonly active: ReadonlyArray<string>;
  readonly context: unknown;
  readonly tags: ReadonlyArray<string>;
  readonly output: unknown;
  readonly error: unknown;
  readonly timers: ReadonlyArray<TimerLine>;
  readonly children: ReadonlyArray<ChildLine>;
  /** From the top of its tree to its parent. */
  readonly parents: ReadonlyArray<string>;
  readonly moves: ReadonlyArray<Move>;
  readonly verdict: string;
  readonly waiting: ReadonlyArray<Reason>;
  /** Entries before this one were removed by retention; 0: its history is whole. */
  readonly cut: number;
  readonly replayable: boolean;
  /** There is a chart of its machine. */
  readonly isDrawn: boolean;
  /** Where it is a task of a dispatcher. */
  readonly task?: TaskPart;
  /** Where the page says which entry it knows: those after it, of very many the latest. */
  readonly way?: ReadonlyArray<Entry>;
}

/** Something that can be told to the actor now. */
export interface Move {
  readonly event: string;
  /** `depends`: a guard looks at what the event carries. */
  readonly accepted: "yes" | "depends";
  readonly edges: ReadonlyArray<string>;
  readonly reason?: string;
  /** Who sends it, where the machine says so. */
  readonly from?: string;
  /** A JSON schema of the event, where the machine declares one. */
  readonly schema?: unknown;
}

/** What it waits for, in words, with what can be followed. */
export interface Reason {
  readonly text: string;
  readonly until?: number;
  readonly address?: string;
}

/** One entry of a history. What comes of stepping it again is absent where no code is at hand. */
export interface Entry {
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  readonly outcome: string;
  readonly from: string;
  readonly state?: string;
  readonly active?: ReadonlyArray<string>;
  readonly edges?: ReadonlyArray<string>;
  readonly sends?: ReadonlyArray<{ readonly to: string; readonly type: string }>;
  /** The form of the machine. */
  readonly hash?: string;
}

export interface History {
  readonly address: string;
  /** The first and last numbers that are there. */
  readonly first: number;
  readonly last: number;
  readonly entries: ReadonlyArray<Entry>;
  /** Why it could not be stepped further, if so. */
  readonly broken?: string;
}

/** An actor after one entry. */
export interface Moment extends Entry {
  readonly event: unknown;
  readonly status?: string;
  readonly context?: unknown;
  readonly timers?: ReadonlyArray<TimerLine>;
  readonly children?: ReadonlyArray<string>;
}

/** What the actors of one form did, told to another form: grouped as by the deploy gate. */
export interface GateAnswer {
  /** Actors that were compared: the latest ones, as far as there is time. */
  readonly actors: number;
  readonly same: number;
  readonly groups: ReadonlyArray<{ readonly kind: string; readonly cause: string; readonly actors: number; readonly address: string; readonly seq: number }>;
}

/** One event of a way that history did not take. `threw`: the machine's words; its state is the one before. */
export interface ForkEntry extends Entry {
  readonly threw?: string;
}

/** A way that history did not take, beside the one that it took. */
export interface WhatIf {
  readonly entries: ReadonlyArray<ForkEntry>;
  /** After the last of the given events. */
  readonly context: unknown;
  readonly state: string;
  readonly active: ReadonlyArray<string>;
  /** Children whose answers nobody knows here. */
  readonly open: ReadonlyArray<string>;
  /** What really came, from the same entry on. */
  readonly really: ReadonlyArray<Entry>;
  /** The last entry that is there: `fields` compares what it led to. */
  readonly last: number;
  /** In what the end of the fork is not what became of the actor. `left`: what became of it. */
  readonly fields: ReadonlyArray<{ readonly path: string; readonly left?: unknown; readonly right?: unknown }>;
}

export interface Message {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly type: string;
  readonly seq: number;
  readonly outcome: string;
}
export interface Sequence {
  readonly actors: ReadonlyArray<string>;
  readonly messages: ReadonlyArray<Message>;
}

export interface Overview {
  readonly engine: {
    readonly state: string;
    readonly cause?: string;
    readonly transitions: number;
    readonly waiting: number;
    readonly activities: number;
    readonly residents: number;
  };
  readonly source: "engine" | "journal" | "file";
  readonly name: string;
  readonly role: Role;
  readonly machines: ReadonlyArray<MachineLine>;
  readonly letters: number;
  readonly outboxes: ReadonlyArray<OutboxLine>;
  readonly stuck: ReadonlyArray<StuckLine>;
  /** Further actors that look overdue. */
  readonly stuckMore: number;
  /** There is a dispatcher: tasks, workers and queues can be looked at, and ordered. */
  readonly work: boolean;
  readonly incidents: ReadonlyArray<Incident>;
  /** Stored transitions in each of the last seconds, the present one last. */
  readonly rate: ReadonlyArray<number>;
  readonly now: number;
}

export interface Incident {
  readonly at: number;
  readonly address: string;
  readonly text: string;
}

/** What does not go on by itself, and why. */
export interface StuckLine extends Incident {
  readonly state?: string;
  readonly mark?: string;
}

export interface OutboxLine {
  readonly name: string;
  readonly state: string;
  readonly pending: number;
  readonly poisoned: number;
  readonly unknown: number;
}

export interface EntryLine {
  readonly seq: number;
  readonly key: string;
  readonly lane: string;
  readonly type: string;
  readonly status: string;
  readonly attempts: number;
  readonly due: number;
  readonly error: string;
  readonly payload: unknown;
}

export interface LetterLine {
  readonly id: number;
  readonly address: string;
  readonly at: number;
  readonly type: string;
  readonly kind: string;
  readonly error: string;
  readonly event: unknown;
}

/** What is to be done with many at once. */
export type Bulk =
  | { readonly action: "requeue" | "drop"; readonly letters: ReadonlyArray<number>; readonly why?: string }
  | { readonly action: "requeue" | "drop"; readonly outbox: string; readonly entries: ReadonlyArray<number> }
  | TaskOrder
  | PlaceOrder
  | { readonly action: "send"; readonly addresses: ReadonlyArray<string>; readonly event: { readonly type: string; readonly [key: string]: unknown } };

/** What a bulk action would do. */
export interface Preview {
  readonly text: string;
  readonly takes: ReadonlyArray<string>;
  /** Those that would not take it, with the reason. */
  readonly refuses: ReadonlyArray<{ readonly id: string; readonly why: string }>;
}

/** What was done. */
export interface Done {
  readonly done: number;
  readonly refuses?: Preview["refuses"];
}

/** What the stream of changes says, at most once per frame. */
export interface Frame {
  readonly at: number;
  /** Transitions since the frame before, whoever moved. */
  readonly transitions: number;
  /** As in the overview, for who watches all machines. */
  readonly rate?: ReadonlyArray<number>;
  /** Of the machines that the subscriber watches. */
  readonly fleets: ReadonlyArray<Fleet>;
  /** The watched actors that moved, and where they stand now. */
  readonly actors: Readonly<Record<string, Stand>>;
  readonly engine: string;
}

export interface Stand {
  readonly seq: number;
  readonly state: string;
  readonly active: ReadonlyArray<string>;
}

/** A graph, and where its machine stands. */
export interface Chart {
  readonly graph: Graph;
  readonly replayable: boolean;
  readonly fleet: Fleet;
}
