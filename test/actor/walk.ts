import { childAddress } from "../../src/domain/address.ts";
import { Live, lookOf } from "./live.ts";
import type { Fixture, Told } from "./machines.ts";
import { Difference, inOrder, Plain } from "./plain.ts";
import { type Counts, type Subject, taskwright, World } from "./world.ts";

const epoch = 1_700_000_000_000;

export interface WalkOptions {
  readonly counts: Counts;
  readonly throughJson: boolean;
  readonly subject?: Subject;
}

/** What can happen next: to our side and to the live one. */
interface Move {
  readonly label: string;
  readonly ours: (world: World) => void;
  readonly live: (live: Live) => void;
}

/** A world of ours and a live actor, moved in the same way. Throws a `Difference` at the first one. */
class Pair {
  readonly world: World;
  readonly #live: Live | undefined;
  readonly #fixture: Fixture;
  readonly #ours = new Plain();
  readonly #theirs = new Plain();

  constructor(fixture: Fixture, input: unknown, options: WalkOptions) {
    this.#fixture = fixture;
    this.world = new World(fixture.machine, input, epoch, { subject: options.subject ?? taskwright, throughJson: options.throughJson, counts: options.counts });
    this.#live = fixture.live === false ? undefined : new Live(fixture.machine, input);
    this.#compare("start");
  }

  get isOver(): boolean {
    return this.world.root.over;
  }

  do(move: Move): void {
    move.ours(this.world);
    if (this.#live !== undefined) move.live(this.#live);
    this.#compare(move.label);
  }

  advance(to: number): void {
    for (let due = this.world.nextDue; due !== undefined && due <= to; due = this.world.nextDue) this.#moveTo(due);
    this.#moveTo(to);
  }

  #moveTo(at: number): void {
    this.do({ label: `timers due at ${at - epoch}`, ours: (world) => world.fire(at), live: (live) => live.advance(at - epoch) });
  }

  /** All that can happen next; each is worked out only if it is chosen. */
  moves(): ReadonlyArray<() => Move> {
    const { world } = this;
    const moves: Array<() => Move> = [...this.#fixture.events, { type: "NOISE" }].map((event) => () => this.#telling(world.root, event));
    for (const actor of world.actors.values()) {
      if (actor !== world.root) for (const event of this.#fixture.childEvents?.[actor.definition.id] ?? []) moves.push(() => this.#telling(actor, event));
    }
    for (const address of world.activities.keys()) {
      for (const output of this.#fixture.outputs ?? ["output"]) moves.push(() => this.#completing(address, output));
      moves.push(() => this.#completing(address, undefined, new Error(`no ${address}`)));
    }
    return moves;
  }

  #telling(actor: World["root"], event: Told): Move {
    const path = this.#livePath(actor.path);
    return { label: `${actor.path} ${JSON.stringify(event)}`, ours: (world) => world.send(actor, event), live: (live) => live.send(path, event) };
  }

  #completing(address: string, output: unknown, error?: Error): Move {
    const path = this.#livePath(address.slice(this.world.root.address.length));
    return { label: `${address} ${error === undefined ? "done" : "failed"}`, ours: (world) => world.complete(address, output, error), live: (live) => live.complete(path, output, error) };
  }

  stop(): void {
    this.do({ label: "stop", ours: (world) => world.stop(), live: (live) => void (live.root as unknown as { stop(): void }).stop() });
  }

  /** Children without an id have counted ids: the same place among the children is the same child. */
  #livePath(path: string): string {
    let address = this.world.root.address;
    let live = "";
    for (const id of path.split("/").slice(1)) {
      const index = Object.keys(this.world.actors.get(address)?.hot.children ?? {}).indexOf(id);
      live += `/${Object.keys(this.#live?.at(live).getSnapshot().children ?? {})[index]}`;
      address = childAddress(address, id);
    }
    return live;
  }

  #compare(label: string): void {
    const live = this.#live;
    if (live === undefined) return;
    const same = (what: string, theirs: unknown, ours: unknown) => {
      const expected = this.#theirs.of(theirs);
      const found = this.#ours.of(ours);
      if (expected !== found) throw new Difference(`${this.world.root.address} on ${label}: ${what}, compared with a live actor`, expected, found);
    };
    same("the look", inDocumentOrder(lookOf(live.root), this.world), ourLook(this.world, this.world.root.address));
    for (const what of ["messages", "emitted", "performed", "logged"] as const) {
      same(what, live[what], this.world[what]);
      live[what].length = 0;
      this.world[what].length = 0;
    }
  }
}

const ourLook = (world: World, address: string): unknown => {
  const actor = world.actors.get(address) ?? (address === world.root.address ? world.root : undefined);
  if (actor === undefined) return { status: "active" };
  const { snapshot, children } = actor.hot;
  return {
    children: Object.entries(children).map(([id, child]) => [id, child.ended === true ? "over" : ourLook(world, childAddress(address, id))]),
    status: snapshot.status,
    value: snapshot.value,
    context: snapshot.context,
    output: snapshot.output,
    error: (snapshot.error as { message?: string } | undefined)?.message,
    tags: [...snapshot.tags].sort(),
  };
};

const inDocumentOrder = (look: unknown, world: World): unknown => {
  const value = (look as { value: unknown }).value;
  return { ...(look as object), value: inOrder(value, world.root.definition.machine.root) };
};

/** Takes each number as a choice among what can happen next. Begins anew when the machine has ended. */
export const walk = (fixture: Fixture, choices: ReadonlyArray<number>, options: WalkOptions): void => {
  const inputs = fixture.inputs ?? [undefined];
  let round = 0;
  let pair = new Pair(fixture, inputs[0], options);
  for (const choice of choices) {
    const moves = pair.moves();
    const due = pair.world.nextDue;
    const kind = choice % 16;
    const rest = choice >> 4;
    if (kind === 0 && rest % 16 === 0) pair.stop();
    else if (kind <= 6 && due !== undefined) pair.advance(kind < 6 ? due : pair.world.now + (rest % 120));
    else pair.do((moves[rest % moves.length] as () => Move)());
    if (!pair.isOver) continue;
    const { world } = pair;
    const late = (options.subject ?? taskwright).step(world.root.definition, world.root.hot, { type: "GO" }, world.now);
    if (late.outcome !== "ended" || late.commands.length > 0 || late.state !== world.root.hot) throw new Difference(`${world.root.address} after its end`, "ended", late.outcome);
    pair = new Pair(fixture, inputs[++round % inputs.length], options);
  }
};
