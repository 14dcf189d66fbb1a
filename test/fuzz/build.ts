import {
  type AnyActorRef,
  type AnyStateMachine,
  and,
  assign,
  cancel,
  emit,
  enqueueActions,
  forwardTo,
  fromPromise,
  log,
  not,
  or,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stateIn,
  stopChild,
} from "xstate";
import { currentActivity } from "../../src/engine/index.ts";
import type { Act, Family, Guard, Invoke, Move, Node } from "./chart.ts";

/** What actors say to each other. Whoever hears one of these pays with fuel, so that no exchange goes on for ever. */
const inner = ["I", "i.x", "i.y", "i.hello"] as const;
/** What only the sequence says. */
const outer = ["A", "B", "C", "a.x", "a.y.z"] as const;
export const alphabet: ReadonlyArray<string> = [...outer, ...outer, ...inner.slice(0, 3), "NOISE"];
const descriptors = [...outer, ...outer, ...inner.slice(0, 3), "a.*", "a.y.*", "i.*", "*"];
const fuelMax = 20;

interface Context {
  readonly x: number;
  readonly y: number;
  readonly fuel: number;
  readonly note: unknown;
  readonly refs: Readonly<Record<string, AnyActorRef>>;
  readonly boss: AnyActorRef | null;
}
interface Given {
  readonly context: Context;
  readonly event: { readonly type: string; readonly n?: number; readonly output?: unknown; readonly error?: Error; readonly from?: AnyActorRef; readonly as?: string };
  readonly self: AnyActorRef;
}
type Action = object | string;

export interface HeldPromise {
  readonly input: unknown;
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The running promises of the durable side, by address: a sequence decides how they end. */
export const held = new Map<string, HeldPromise>();
/** What custom actions did, per actor. */
export const performed = new Map<string, Array<unknown>>();

const work = () =>
  fromPromise<unknown, unknown>(
    ({ input }) =>
      new Promise((resolve, reject) => {
        const address = currentActivity()?.address;
        if (address !== undefined) held.set(address, { input, resolve, reject });
      }),
  );

/** Where an actor stands below the root, on either side. */
export const placeOf = (self: unknown): string => {
  const { address, _parent: parent, id } = self as { address?: string; _parent?: unknown; id: string };
  if (address !== undefined)
    return address
      .split("/")
      .slice(2)
      .map((part) => `/${part}`)
      .join("");
  return parent === undefined ? "" : `${placeOf(parent)}/${id}`;
};

const perform =
  (name: string) =>
  ({ self }: Given, params?: unknown): void => {
    const place = placeOf(self);
    const list = performed.get(place) ?? [];
    performed.set(place, list);
    list.push([name, params ?? null]);
  };

/** A family as machines, with what of XState is in them. */
export interface Built {
  /** The root machine first. */
  readonly machines: ReadonlyArray<AnyStateMachine>;
  readonly features: ReadonlySet<string>;
  /** Features that an action, a guard or a transition stands for, to be counted when it is taken. */
  readonly marks: WeakMap<object, ReadonlyArray<string>>;
}

/** A node of a chart with its place. */
interface Spot {
  readonly node: Node;
  readonly kind: Node["kind"];
  readonly key: string;
  readonly id: string;
  readonly parent: Spot | undefined;
  readonly states: Array<Spot>;
}

export const build = (family: Family): Built => {
  const features = new Set<string>();
  const marks = new WeakMap<object, ReadonlyArray<string>>();
  const machines: Array<AnyStateMachine> = [];
  for (let index = family.charts.length - 1; index >= 0; index--) machines.unshift(new Builder(index, family.charts[index] as Node, machines, features, marks).machine());
  return { machines, features, marks };
};

class Builder {
  readonly #index: number;
  readonly #id: string;
  readonly #root: Spot;
  readonly #spots: Array<Spot> = [];
  /** Machines that this one may have as children. */
  readonly #kids: ReadonlyArray<AnyStateMachine>;
  readonly #features: Set<string>;
  readonly #marks: WeakMap<object, ReadonlyArray<string>>;

  constructor(index: number, chart: Node, kids: ReadonlyArray<AnyStateMachine>, features: Set<string>, marks: WeakMap<object, ReadonlyArray<string>>) {
    this.#index = index;
    this.#id = `m${index}`;
    this.#kids = [...kids];
    this.#features = features;
    this.#marks = marks;
    this.#root = this.#spot(chart, this.#id, this.#id, undefined);
  }

  machine(): AnyStateMachine {
    const root = this.#stateOf(this.#root, []) as { on: Record<string, unknown> };
    const isInner = this.#index > 0;
    return setup({
      types: {} as { context: Context; input: Partial<Context> | undefined },
      actors: { work: work(), ...Object.fromEntries(this.#kids.map((kid) => [kid.id, kid])) } as never,
      guards: {
        fueled: ({ context }) => context.fuel > 0,
        even: ({ context }) => context.x % 2 === 0,
        atLeast: ({ context }, { n }: { n: number }) => context.x >= n,
      },
      delays: { short: 15, dynamic: ({ context }) => 5 + context.x * 5 },
      actions: {
        burn: assign({ fuel: ({ context }) => context.fuel - 1 }),
        add: assign(({ context }, { to, by }: { to: "x" | "y"; by: number }) => ({ [to]: (context[to] + by) % 7 })),
        ring: perform("ring") as never,
        knock: perform("knock") as never,
      },
    }).createMachine({
      ...root,
      id: this.#id,
      context: ({ input }: { input: Partial<Context> | undefined }) => ({ x: input?.x ?? 0, y: 1, fuel: input?.fuel ?? fuelMax, note: null, refs: {}, boss: input?.boss ?? null }),
      ...(isInner || this.#root.node.choice % 2 === 0 ? { output: ({ context, event }: Given) => ({ x: context.x, got: event.output ?? null }) } : {}),
      on: {
        ...root.on,
        "i.hello": {
          guard: "fueled",
          actions: ["burn", assign(({ context, event }: Given) => (event.from === undefined ? {} : { refs: { ...context.refs, [String(event.as)]: event.from } }) as never)],
        },
      },
    } as never) as unknown as AnyStateMachine;
  }

  /** Mends what can't be: a compound state without a state to begin in, history where nothing is remembered. */
  #spot(node: Node, key: string, id: string, parent: Spot | undefined): Spot {
    const canBegin = node.states.some((state) => state.kind !== "history");
    const isRegion = parent?.kind === "parallel";
    const kind = (node.kind === "compound" || node.kind === "parallel") && !canBegin ? "atomic" : node.kind === "history" && isRegion ? "atomic" : node.kind;
    const spot: Spot = { node, kind, key, id, parent, states: [] };
    this.#spots.push(spot);
    if (kind === "compound" || kind === "parallel") spot.states.push(...node.states.map((state, index) => this.#spot(state, `s${index}`, `${id}.s${index}`, spot)));
    return spot;
  }

  #has<A extends object>(value: A, ...features: ReadonlyArray<string>): A {
    for (const feature of features) this.#features.add(feature);
    this.#marks.set(value, [...(this.#marks.get(value) ?? []), ...features]);
    return value;
  }

  #stateOf(spot: Spot, outerScope: ReadonlyArray<string>): object {
    const { node, kind } = spot;
    if (kind === "history") {
      const siblings = (spot.parent as Spot).states.filter((sibling) => sibling.kind !== "history");
      this.#features.add(node.deep ? "history deep" : "history shallow");
      return { type: "history", history: node.deep ? "deep" : "shallow", ...(node.choice % 2 === 0 ? {} : { target: (siblings[node.choice % siblings.length] as Spot).key }) };
    }
    const invoked = kind === "final" ? [] : node.invoke.map((invoke, index) => this.#invokeOf(spot, invoke, index, outerScope));
    const scope = [...outerScope, ...invoked.flatMap(({ id }) => (id === undefined ? [] : [id]))];
    const begins = spot.states.filter((state) => state.kind !== "history");
    const goesOn = begins.filter((state) => state.kind !== "final");
    const initial = (goesOn.length > 0 ? goesOn : begins)[node.choice % (goesOn.length > 0 ? goesOn : begins).length];
    const state: Record<string, unknown> = {
      ...(kind === "compound" ? { initial: initial?.key } : kind === "parallel" || kind === "final" ? { type: kind } : {}),
      ...(node.tags.length === 0 ? {} : { tags: node.tags.map((tag) => `t${tag}`) }),
      entry: node.entry.flatMap((act) => this.#actsOf(act, scope, undefined)),
      exit: node.exit.flatMap((act) => this.#actsOf(act, scope, undefined)),
      on: {},
    };
    if (node.tags.length > 0) this.#features.add("tags");
    this.#features.add(spot.parent === undefined ? `root ${kind}` : kind);
    if (kind === "final") {
      delete state.on;
      if (node.choice % 2 === 0) {
        this.#features.add("final output");
        state.output = ({ context }: Given) => ({ y: context.y });
      }
      return state;
    }
    const on = state.on as Record<string, Array<object>>;
    for (const { event, moves } of node.on) {
      const descriptor = descriptors[event % descriptors.length] as string;
      const costs = !(outer as ReadonlyArray<string>).includes(descriptor) && !descriptor.startsWith("a.");
      const name = descriptor.includes("*") ? `on ${descriptor}` : "on";
      on[descriptor] = [...(on[descriptor] ?? []), ...moves.map((move) => this.#moveOf(spot, move, scope, costs, descriptor, spot.parent === undefined ? "on at the root" : name, name))];
    }
    if (node.always.length > 0) state.always = node.always.map((move) => this.#moveOf(spot, move, scope, true, undefined, "always"));
    if (node.after.length > 0) {
      const after: Record<string, Array<object>> = {};
      for (const { delay, move } of node.after) {
        const key = String(afters[delay % afters.length]);
        after[key] = [...(after[key] ?? []), this.#moveOf(spot, move, scope, true, undefined, Number.isNaN(Number(key)) ? `after ${key}` : "after a number")];
      }
      state.after = after;
    }
    if (node.onDone.length > 0 && spot.states.some((child) => child.kind === "final" || kind === "parallel")) {
      state.onDone = node.onDone.map((move) => this.#moveOf(spot, move, scope, true, undefined, spot.kind === "parallel" ? "onDone of a parallel state" : "onDone of a state"));
    }
    if (invoked.length > 0) state.invoke = invoked;
    if (spot.states.length > 0) state.states = Object.fromEntries(spot.states.map((child) => [child.key, this.#stateOf(child, scope)]));
    return state;
  }

  #invokeOf(spot: Spot, invoke: Invoke, index: number, scope: ReadonlyArray<string>): { readonly id?: string } {
    const kid = this.#kids[invoke.which % Math.max(1, this.#kids.length)];
    const what = kid !== undefined ? invoke.what : invoke.what === "machine" ? "promise" : invoke.what === "inlineMachine" ? "inlinePromise" : invoke.what;
    const src = what === "machine" ? kid?.id : what === "promise" ? "work" : what === "inlineMachine" ? kid : work();
    this.#features.add(`invoke ${what}`);
    const inside = [...scope];
    const moves = (list: ReadonlyArray<Move>, what: string) => list.map((move) => this.#moveOf(spot, move, inside, true, undefined, what));
    return {
      src,
      ...(invoke.named ? { id: `${this.#index}v${spot.id.slice(2)}-${index}` } : {}),
      input: inputOf,
      ...(invoke.onDone.length === 0 ? {} : { onDone: moves(invoke.onDone, "onDone of an actor") }),
      ...(invoke.onError.length === 0 ? {} : { onError: moves(invoke.onError, "onError") }),
    } as { readonly id?: string };
  }

  #moveOf(spot: Spot, move: Move, scope: ReadonlyArray<string>, costs: boolean, descriptor: string | undefined, ...what: ReadonlyArray<string>): object {
    const features = [...what];
    const targets = this.#targetsOf(spot, move);
    if (targets.length === 0) features.push("targetless");
    if (targets.length > 1) features.push("several targets");
    for (const target of targets) if (target.kind === "history") features.push(target.node.deep ? "to deep history" : "to shallow history");
    if (targets.length > 0 && move.reenter) features.push("reenter");
    const guard = move.guard === null ? undefined : this.#guardOf(move.guard);
    if (move.guard !== null) features.push(`guard ${move.guard.is}`);
    const actions = [...(costs ? ["burn"] : []), ...move.acts.flatMap((act) => this.#actsOf(act, scope, descriptor))];
    const guards = costs ? (guard === undefined ? "fueled" : and(["fueled", guard as never])) : guard;
    // XState keeps the list of targets, not the transition that was written: what it does carries the marks.
    const marker = this.#has({ type: "mark" }, ...features);
    return {
      ...(targets.length === 0 ? {} : { target: targets.map(({ id }) => `#${id}`) }),
      ...(targets.length > 0 && move.reenter ? { reenter: true } : {}),
      ...(guards === undefined ? {} : { guard: guards }),
      actions,
      meta: marker,
    };
  }

  #targetsOf(spot: Spot, move: Move): ReadonlyArray<Spot> {
    const all = this.#spots.slice(1);
    const pick = (spots: ReadonlyArray<Spot>): ReadonlyArray<Spot> => (spots.length === 0 ? [] : [spots[move.target % spots.length] as Spot]);
    switch (move.to) {
      case "nowhere":
        return [];
      case "nearby":
        return pick(spot.parent === undefined ? spot.states : spot.parent.states);
      case "regions": {
        const parallels = this.#spots.filter((other) => other.kind === "parallel" && other.states.length > 1);
        const parallel = parallels[move.target % Math.max(1, parallels.length)];
        if (parallel === undefined) return pick(all);
        return parallel.states.slice(0, 2).map((region, index) => region.states[(move.target + index) % Math.max(1, region.states.length)] ?? region);
      }
      default:
        return pick(all);
    }
  }

  #guardOf(guard: Guard): object {
    const { is, n } = guard;
    this.#features.add(`guard ${is}`);
    const of = () => guard.of.map((inside) => this.#guardOf(inside)) as never;
    switch (is) {
      case "atLeast":
        return { type: "atLeast", params: { n: n % 5 } };
      case "atLeastDynamic":
        return { type: "atLeast", params: ({ context }: Given) => ({ n: context.y }) };
      case "even":
        return { type: "even" };
      case "inline":
        return ({ context }: Given) => context.y % 3 === n % 3;
      case "stateIn": {
        const spots = this.#spots.slice(1).filter(({ kind }) => kind !== "history");
        return spots.length === 0 ? { type: "even" } : (stateIn(`#${(spots[n % spots.length] as Spot).id}`) as unknown as object);
      }
      case "not":
        return not((of() as ReadonlyArray<never>)[0] as never) as unknown as object;
      case "and":
        return and(of()) as unknown as object;
      case "or":
        return or(of()) as unknown as object;
    }
  }

  #actsOf(act: Act, scope: ReadonlyArray<string>, descriptor: string | undefined): ReadonlyArray<Action> {
    const actions = this.#actionsOf(act, scope, descriptor);
    const first = actions[0];
    if (typeof first === "object" || typeof first === "function") this.#has(first, act.do);
    return actions;
  }

  #actionsOf(act: Act, scope: ReadonlyArray<string>, descriptor: string | undefined): ReadonlyArray<Action> {
    const { n, m } = act;
    const told = { type: inner[n % 3] as string, n: m };
    const later = { delay: delays[m % delays.length], ...(n % 3 === 2 ? {} : { id: timerId(n) }) } as object;
    const isRoot = this.#index === 0;
    const toSelf = ({ self }: Given) => self;
    const kid = this.#kids[m % Math.max(1, this.#kids.length)]?.id ?? "work";
    const spawnId = `${this.#index}s${n % 2}`;
    const child = scope[n % Math.max(1, scope.length)];
    const toRef = ({ context, self }: Given) => context.refs[refNames[n % refNames.length] as string] ?? self;
    const one = (action: unknown): ReadonlyArray<Action> => [action as Action];
    const spawned = (src: string) =>
      one(
        assign((({ context, spawn }: Given & { spawn: (src: string, options: object) => AnyActorRef }) => ({
          refs: { ...context.refs, [`r${n % 2}`]: spawn(src, { id: `${this.#index}r${n % 2}`, input: inputOf }) },
        })) as never),
      );
    switch (act.do) {
      case "assign":
        return one({ type: "add", params: { to: m % 2 === 0 ? "x" : "y", by: n } });
      case "assignInline":
        return one(assign({ y: (({ context }: Given) => (context.y + context.x + n) % 7) as never }));
      case "note":
        return one(assign({ note: (({ event }: Given) => event.output ?? event.n ?? event.error?.message ?? event.type) as never }));
      case "raise":
        return one(raise(told as never));
      case "raiseLater":
        return one(raise(told as never, later as never));
      case "sendParent":
        return one(isRoot ? sendTo(toSelf as never, told as never) : sendParent(told as never));
      case "sendParentLater":
        return one(isRoot ? raise(told as never, later as never) : sendParent(told as never, later as never));
      case "sendSelf":
        return one(sendTo(toSelf as never, told as never));
      case "sendSelfLater":
        return one(sendTo(toSelf as never, told as never, later as never));
      case "sendBoss":
        return one(sendTo((({ context, self }: Given) => context.boss ?? self) as never, (({ context }: Given) => ({ ...told, n: context.x })) as never));
      case "forward":
      case "sendChild":
        if (child === undefined) return one(emit({ type: "alone", n }));
        if (act.do === "forward" && descriptor !== undefined && descriptor !== "*") return one(forwardTo(child));
        return one(sendTo(child, told as never));
      case "sendChildLater":
        return one(child === undefined ? emit({ type: "alone", n }) : sendTo(child, told as never, later as never));
      case "sendRef":
        return one(sendTo(toRef as never, told as never));
      case "sendRefLater":
        return one(sendTo(toRef as never, told as never, later as never));
      case "introduce":
        return one(isRoot ? raise(told as never) : sendParent((({ self }: Given) => ({ type: "i.hello", from: self, as: `k${n % 2}` })) as never));
      case "cancel":
        return one(cancel(timerId(n % 3 === 2 ? 0 : n)));
      case "spawn":
        return one(spawnChild(kid as never, { id: spawnId, input: inputOf } as never));
      case "spawnPromise":
        return one(spawnChild("work" as never, { id: spawnId, input: inputOf } as never));
      case "spawnAndTell":
        return [spawnChild(kid as never, { id: spawnId, input: inputOf } as never), sendTo(spawnId, told as never)] as unknown as ReadonlyArray<Action>;
      case "spawnBriefly":
        return [
          spawnChild(kid as never, { id: `${this.#index}b`, input: inputOf } as never),
          sendTo(`${this.#index}b`, told as never),
          stopChild(`${this.#index}b`),
        ] as unknown as ReadonlyArray<Action>;
      case "spawnInAssign":
        return spawned(kid);
      case "spawnPromiseInAssign":
        return spawned("work");
      case "stop":
        return one(stopChild(spawnId));
      case "stopRef":
        return one(stopChild((({ context }: Given) => context.refs[`r${n % 2}`]) as never));
      case "emit":
        return one(emit((({ context }: Given) => ({ type: `out${n % 2}`, x: context.x, m })) as never));
      case "log":
        return one(log((({ context, self }: Given) => ({ by: placeOf(self), x: context.x, n })) as never, m % 2 === 0 ? "label" : undefined));
      case "act":
        return one({ type: "ring", params: { n } });
      case "actDynamic":
        return one({ type: "knock", params: ({ context, event }: Given) => ({ x: context.x, on: event.type }) });
      case "enqueue": {
        const then = act.inside.flatMap((nested) => this.#actsOf(nested, scope, descriptor));
        return one(
          enqueueActions((({
            enqueue,
            check,
            context,
          }: Given & { enqueue: ((action: unknown) => void) & { raise: (event: object) => void; assign: (change: object) => void }; check: (guard: unknown) => boolean }) => {
            if (check({ type: "atLeast", params: { n: n % 4 } })) for (const action of then) enqueue(action);
            else enqueue.assign({ y: (context.y + 1) % 7 });
            if (check("even")) enqueue.raise(told);
          }) as never),
        );
      }
    }
  }
}

const afters = [0, 5, 10, 20, 35, 50, 100, "short", "dynamic", "short", "dynamic", 20];
const delays = [0, 5, 10, 20, 50, "short", "dynamic", ({ context }: Given) => 10 + context.y * 5];
const refNames = ["r0", "r1", "k0", "k1"];
const timerId = (n: number) => (n % 6 === 5 ? "after.looks.like.one" : `t${n % 2}`);
const inputOf = ({ context, self }: Given) => ({ x: context.y, fuel: Math.floor(context.fuel / 3), boss: self });
