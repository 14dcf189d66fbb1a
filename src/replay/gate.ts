import type { AnyStateMachine } from "xstate";
import type { Definition } from "../actor/index.ts";
import type { Address } from "../domain/address.ts";
import { compareVersions } from "../domain/version.ts";
import type { DurableMachine } from "../engine/index.ts";
import { machineOfChart } from "./chart.ts";
import { type ChangeKind, compareHistory, type Comparison } from "./compare.ts";
import type { FieldDifference } from "./fields.ts";
import { Forms, formsOf, type Machines } from "./forms.ts";
import type { History } from "./history.ts";
import type { ChartLine } from "./history-file.ts";

/** The shortest history with a certain cause. */
export interface Witness {
  readonly address: Address;
  readonly seq: number;
  /** The types of its events, up to that entry. */
  readonly events: ReadonlyArray<string>;
  readonly fields: ReadonlyArray<FieldDifference>;
  readonly ends?: Comparison["ends"];
}

/** All actors with one cause. */
export interface ChangeGroup {
  readonly machine: string;
  readonly kind: ChangeKind;
  readonly cause: string;
  readonly actors: number;
  /** Of these: what comes behind it is a guess, because answers stand there that nobody would have asked for. */
  readonly counterfactual: number;
  readonly witness: Witness;
}

export interface GateReport {
  /** Actors that were compared. */
  readonly actors: number;
  /** Of these: the changed machine does everything as it was done. */
  readonly same: number;
  /** Of these: only states and outcomes could be compared, and why; commands and deadlines could not. */
  readonly unseen: Readonly<Record<string, number>>;
  /** The largest first. */
  readonly groups: ReadonlyArray<ChangeGroup>;
}

export interface GateOptions {
  /** The machines that wrote the histories, if they are at hand. */
  readonly writers?: Machines;
  /** Charts of the forms that wrote them: where the machine is not at hand it is made from its chart and the changed functions. */
  readonly charts?: ReadonlyArray<ChartLine>;
}

interface Growing {
  readonly machine: string;
  readonly kind: ChangeKind;
  readonly cause: string;
  actors: number;
  counterfactual: number;
  witness: Witness;
}

/**
 * What a deploy would do to the actors of a journal: each history is told to the changed machine, and what it does
 * differently is grouped by its cause. Add histories, then ask for the report.
 */
export class Gate {
  readonly #changed = new Map<string, { readonly definition: Definition; readonly entry: AnyStateMachine | DurableMachine }>();
  readonly #known: Forms;
  readonly #charts: ReadonlyMap<string, ChartLine>;
  readonly #writers = new Map<string, Definition | undefined>();
  readonly #groups = new Map<string, Growing>();
  readonly #unseen: Record<string, number> = {};
  #actors = 0;
  #same = 0;

  constructor(machines: ReadonlyArray<AnyStateMachine | DurableMachine>, { writers = [], charts = [] }: GateOptions = {}) {
    const forms = new Forms(machines);
    for (const [index, definition] of forms.given.entries()) {
      const other = this.#changed.get(definition.id);
      if (other === undefined || compareVersions(definition.version, other.definition.version) >= 0) this.#changed.set(definition.id, { definition, entry: machines[index] as AnyStateMachine });
    }
    this.#known = formsOf(writers);
    this.#charts = new Map(charts.map((chart) => [chart.hash, chart]));
  }

  /** The ids of the machines whose actors are compared. */
  get machines(): ReadonlyArray<string> {
    return [...this.#changed.keys()];
  }

  /** Compares one history; nothing where its machine is none of the changed ones. */
  add(history: History): Comparison | undefined {
    const changed = this.#changed.get(history.machine);
    if (changed === undefined) return undefined;
    const comparison = compareHistory(history, { changed: changed.definition, writer: this.#writer(history.hash, changed) });
    const { changes, unseen } = comparison;
    this.#actors++;
    if (changes.length === 0) this.#same++;
    if (unseen !== undefined) this.#unseen[unseen] = (this.#unseen[unseen] ?? 0) + 1;
    for (const cause of new Set(changes.map(({ kind, cause }) => `${kind}\n${cause}`))) this.#count(history, comparison, cause);
    return comparison;
  }

  report(): GateReport {
    return {
      actors: this.#actors,
      same: this.#same,
      unseen: this.#unseen,
      groups: [...this.#groups.values()].sort((left, right) => right.actors - left.actors || (left.cause < right.cause ? -1 : 1)),
    };
  }

  #writer(hash: string, changed: { readonly definition: Definition; readonly entry: AnyStateMachine | DurableMachine }): Definition | undefined {
    if (!this.#writers.has(hash)) {
      const chart = this.#charts.get(hash);
      const made = hash === changed.definition.hash ? changed.definition : chart === undefined ? undefined : machineOfChart(chart.chart, chart, changed.entry);
      this.#writers.set(hash, this.#known.of(hash) ?? made);
    }
    return this.#writers.get(hash);
  }

  #count(history: History, { changes, counterfactual, ends }: Comparison, cause: string): void {
    const change = changes.find((candidate) => `${candidate.kind}\n${candidate.cause}` === cause);
    if (change === undefined) return;
    const key = `${history.machine}\n${cause}`;
    const known = this.#groups.get(key);
    if (known !== undefined && known.witness.seq <= change.seq && history.start === undefined) {
      known.actors++;
      if (counterfactual.length > 0) known.counterfactual++;
      return;
    }
    const events = history.entries.filter(({ seq }) => seq <= change.seq).map(({ event }) => event.type);
    const witness: Witness = { address: history.address, seq: change.seq, events, fields: change.fields, ...(ends === undefined ? {} : { ends }) };
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { machine: history.machine, kind: change.kind, cause: change.cause, actors: 0, counterfactual: 0, witness };
      this.#groups.set(key, group);
    }
    group.actors++;
    if (counterfactual.length > 0) group.counterfactual++;
    if (events.length < group.witness.events.length) group.witness = witness;
  }
}

/** Compares many histories with changed machines. */
export const compare = (histories: Iterable<History>, machines: ReadonlyArray<AnyStateMachine | DurableMachine>, options?: GateOptions): GateReport => {
  const gate = new Gate(machines, options);
  for (const history of histories) gate.add(history);
  return gate.report();
};
