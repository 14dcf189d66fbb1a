import type { Acknowledgement } from "../../src/domain/inbox.ts";
import type { TaskSpec } from "../../src/dispatch/index.ts";
import type { Receipt } from "../../src/engine/index.ts";
import type { NewSchedule } from "../../src/orchestration/index.ts";
import { Sender } from "./inboxes.ts";
import type { SimProcess } from "./process.ts";
import { drawSchedule } from "./schedules.ts";
import type { World } from "./world.ts";

/** One thing that a client wants. With a key it asks again until it is answered; without one it asks once. */
interface Request {
  readonly op: string;
  readonly says: string;
  readonly keyed: boolean;
  readonly call: (process: SimProcess, call: string) => Promise<Answer>;
  readonly onDone?: () => void;
  /** It is never asked for. */
  readonly onLeftOut?: () => void;
}
/** What was answered, as far as it can be held against the store. */
type Answer =
  | Receipt
  | { readonly asked: true }
  | { readonly done: true }
  | { readonly submitted: ReadonlyArray<string> }
  | { readonly cancelled: string }
  | { readonly received: string }
  /** An actor that must be there now. */
  | { readonly made: string }
  | { readonly triggered: string };

interface Client {
  readonly name: string;
  request: Request | undefined;
}

type Wish =
  | "start"
  | "transfer"
  | "tell"
  | "set"
  | "stop"
  | "recall"
  | "giveUp"
  | "break"
  | "ball"
  | "ask"
  | "family"
  | "till"
  | "beacon"
  | "write"
  | "submit"
  | "cancel"
  | "message"
  | "handOut"
  | "command"
  | "adopt"
  | "schedule"
  | "clock";

const machinesToStart = [
  "account",
  "account",
  "account",
  "account",
  "herald",
  "alarm",
  "alarm",
  "parcel",
  "parcel",
  "parcel",
  "parcel",
  "fragile",
  "sturdy",
  "brittle",
  "player",
  "player",
  "family",
  "family",
  "till",
  "till",
  "till",
  "beacon",
  "beacon",
  "writer",
  "writer",
] as const;

/** What a world does most of: the machines that it starts more of, and the wishes that it has more often. */
const focuses = {
  start: { machines: ["account", "herald"], wishes: [] },
  submit: { machines: ["account"], wishes: ["submit", "cancel"] },
  recall: { machines: ["parcel"], wishes: ["recall"] },
  family: { machines: ["family"], wishes: ["family"] },
  till: { machines: ["till"], wishes: ["till"] },
  beacon: { machines: ["beacon"], wishes: ["beacon"] },
  write: { machines: ["writer"], wishes: ["write"] },
  set: { machines: ["alarm"], wishes: ["set", "stop"] },
  break: { machines: ["fragile", "brittle"], wishes: ["break"] },
  ask: { machines: ["account"], wishes: ["ask"] },
  callBack: { machines: ["parcel"], wishes: ["recall", "start"] },
} as const satisfies Readonly<Record<string, { readonly machines: ReadonlyArray<string>; readonly wishes: ReadonlyArray<Wish> }>>;

/** Where there is a broker, messages come before the rest, or few of them are answered before the faults are over. */
const brokerFocus = { machines: ["account"], wishes: ["message"] } as const;

const partFocuses = {
  inboxes: { machines: ["account"], wishes: ["command", "adopt"] },
  schedules: { machines: ["account"], wishes: ["schedule", "clock"] },
} as const;

/** How much more often: a world is small, and goes deep in one direction rather than a step in each. */
const focusFactor = 10;

/** Errors after which nothing of the call is stored, whatever else went wrong. */
const nothingStored: ReadonlySet<string> = new Set(["EngineDegraded", "EngineBusy"]);

/** Hosts and users: they start actors, send events, ask, submit tasks, repeat what was not answered, and remember what they were told. */
export class Clients {
  readonly #world: World;
  readonly #clients: Array<Client>;
  readonly #started: Record<string, Array<string>> = {};
  readonly #tasks: Array<string> = [];
  readonly #acknowledged: Array<string> = [];
  readonly #seqs = new Map<string, Receipt>();
  readonly #focus: { readonly machines: ReadonlyArray<(typeof machinesToStart)[number]>; readonly wishes: ReadonlyArray<Wish> };
  readonly #senders: ReadonlyArray<Sender>;
  readonly #schedules: Array<string> = [];
  #ops = 0;
  #calls = 0;

  constructor(world: World, count: number) {
    this.#world = world;
    const { broker, part } = world.plan;
    this.#focus = broker !== undefined ? brokerFocus : part !== "none" ? partFocuses[part] : world.source.pick("focus", Object.values(focuses));
    this.#senders = part === "inboxes" ? [new Sender(world, "east"), new Sender(world, "west")] : [];
    this.#clients = Array.from({ length: count }, (_, index) => ({ name: `client ${index + 1}`, request: undefined }));
  }

  get isIdle(): boolean {
    return this.#clients.every(({ request }) => request === undefined);
  }

  get waiting(): ReadonlyArray<string> {
    return this.#clients.flatMap(({ name, request }) => (request === undefined ? [] : [`${name} waits for ${request.op}: ${request.says}`]));
  }

  get mayBegin(): boolean {
    return this.#clients.some(({ request }) => request === undefined);
  }

  /** Somebody who is free wants something new. */
  begin(): void {
    const client = this.#clients.find(({ request }) => request === undefined);
    if (client === undefined) return;
    const request = this.#choose(`op#${++this.#ops}`);
    if (this.#world.isLeftOut(request.op)) return request.onLeftOut?.();
    this.#world.trace(`${client.name} ${request.op}: ${request.says}`);
    client.request = request;
    this.#ask(client, request);
    // In a step of its own: what a call sets off belongs to the process that it reached.
    if (request.keyed && this.#world.fault("sentTwice")) this.#world.later(undefined, 0, () => this.#ask(client, request));
  }

  #choose(op: string): Request {
    const { source, plan } = this.#world;
    const known = (machine: string): string | undefined => {
      const ids = this.#started[machine];
      return ids === undefined ? undefined : source.pick("which", ids);
    };
    const weights: Record<Wish, number> = {
      start: this.#ops < 10 ? 25 : 3,
      transfer: 6,
      tell: 3,
      set: 4,
      stop: 2,
      recall: 4,
      giveUp: 1,
      break: 3,
      ball: 3,
      ask: 3,
      family: 8,
      till: 5,
      beacon: 5,
      write: 5,
      submit: 6,
      cancel: 2,
      message: plan.broker === undefined ? 0 : 70,
      handOut: plan.broker === undefined ? 0 : 25,
      command: this.#senders.some(({ isBusy }) => !isBusy) ? 6 : 0,
      adopt: this.#senders.length > 0 ? 1.5 : 0,
      schedule: plan.part === "schedules" ? 2 : 0,
      clock: this.#schedules.length > 0 ? 3 : 0,
    };
    for (const wish of this.#focus.wishes) weights[wish] *= focusFactor;
    const kind = source.weighted("wish", weights);
    switch (kind) {
      case "transfer": {
        const [from, to] = [known("account"), known("account")];
        // Sometimes to nobody: the money lies in a dead letter then.
        const other = source.chance("toNobody", 0.05) ? "account/nobody" : to;
        if (from !== undefined && other !== undefined) return this.#send(op, from, { type: "TRANSFER", to: other, amount: source.whole("amount", 1, 20) }, source.chance("keyed", 0.8));
        break;
      }
      case "tell": {
        const herald = known("herald");
        if (herald !== undefined) return this.#send(op, herald, { type: "TELL" }, true);
        break;
      }
      case "set":
      case "stop": {
        const alarm = known("alarm");
        if (alarm !== undefined)
          return this.#send(op, alarm, kind === "stop" ? { type: "STOP" } : { type: "SET", ms: source.pick("alarmMs", [1, 50, 400, 3_000, 20_000, 90_000]) }, source.chance("keyed", 0.7));
        break;
      }
      case "recall":
      case "giveUp": {
        const parcel = known("parcel");
        if (parcel !== undefined) return this.#send(op, parcel, { type: kind === "recall" ? "RECALL" : "GIVE_UP" }, true);
        break;
      }
      case "break": {
        const address = known(source.pick("breakable", ["fragile", "sturdy", "brittle"]));
        if (address !== undefined) return this.#send(op, address, { type: source.chance("breaks", 0.6) ? "BREAK" : "WORK" }, source.chance("keyed", 0.5));
        break;
      }
      case "family": {
        const address = known("family");
        const limb = source.pick("limb", ["left", "right"]);
        const events = [
          { type: "POKE", limb, what: "WORK" },
          ...Array.from({ length: 4 }, () => ({ type: "POKE", limb, what: "BREAK" })),
          { type: "POKE_LATER", limb },
          { type: "LEAVE_ALONE" },
          { type: "TAKE_APART" },
          { type: "REPAIR" },
          { type: "REPAIR" },
        ];
        if (address !== undefined) return this.#send(op, address, source.pick("familyEvent", events), source.chance("keyed", 0.7));
        break;
      }
      case "till":
      case "beacon": {
        const address = known(kind);
        const type = source.pick(kind, kind === "till" ? ["OPEN", "PAY", "PAY", "PAY", "SHIP"] : ["LIGHT", "LIGHT", "QUENCH"]);
        if (address !== undefined) return this.#send(op, address, { type }, source.chance("keyed", 0.7));
        break;
      }
      case "write": {
        const address = known("writer");
        if (address !== undefined) return this.#send(op, address, { type: "WRITE" }, source.chance("keyed", 0.7));
        break;
      }
      case "ball": {
        const [me, other] = [known("player"), known("player")];
        if (me !== undefined && other !== undefined && me !== other) return this.#send(op, me, { type: "BALL", left: source.whole("left", 0, 12), me, other }, true);
        break;
      }
      case "ask": {
        const account = known("account");
        if (account !== undefined)
          return {
            op,
            says: `asks ${account}`,
            keyed: false,
            call: async (process, call) => {
              await process.engine?.ask(account, { type: "ASK", op, call }, { timeout: 3_000 });
              return { asked: true };
            },
          };
        break;
      }
      case "submit":
        return this.#submit(op);
      case "message":
        return this.#message(op);
      case "handOut":
        return {
          op,
          says: "hands out what lies in the inbox",
          keyed: false,
          call: async ({ broker }) => {
            for (const { id } of (await broker?.inbox()) ?? []) await broker?.dispatch(id, this.#endpoint());
            return { done: true };
          },
        };
      case "command":
      case "adopt": {
        const sender = this.#senders.find(({ isBusy, mayMove }) => !isBusy && (kind === "command" || mayMove));
        if (sender !== undefined) return kind === "command" ? this.#command(op, sender, known("account")) : this.#adopt(op, sender);
        break;
      }
      case "schedule":
        return this.#schedule(op);
      case "clock":
        return this.#clock(op, source.pick("whichSchedule", this.#schedules));
      case "cancel":
        if (this.#tasks.length > 0) {
          const task = source.pick("task", this.#tasks);
          return {
            op,
            says: `cancels task/${task}`,
            keyed: true,
            call: async (process, call) => {
              if (process.dispatcher === undefined) throw new NotReady();
              await process.dispatcher.cancel(task, { by: "client", why: call });
              return { cancelled: call };
            },
          };
        }
        break;
    }
    return this.#start(op);
  }

  #start(op: string): Request {
    const { source } = this.#world;
    const isFocused = source.chance("focused", 0.6);
    const machine = source.pick("machine", isFocused ? this.#focus.machines : machinesToStart);
    const ids = (this.#started[machine] ??= []);
    const address = `${machine}/${source.whole("id", 1, machine === "account" ? 5 : isFocused ? 8 : 3)}`;
    const input = machine === "herald" ? { accounts: [...(this.#started.account ?? [])] } : undefined;
    return {
      op,
      says: `starts ${address}`,
      keyed: true,
      call: (process) => (process.engine as NonNullable<SimProcess["engine"]>).start(machine, address.slice(machine.length + 1), input),
      onDone: () => {
        if (!ids.includes(address)) ids.push(address);
      },
    };
  }

  #send(op: string, address: string, event: { readonly type: string; readonly [key: string]: unknown }, keyed: boolean): Request {
    return {
      op,
      says: `sends ${event.type} to ${address}${keyed ? "" : ", without a key"}`,
      keyed,
      call: (process, call) => (process.engine as NonNullable<SimProcess["engine"]>).send(address, { ...event, op, call, keyed }, keyed ? { key: op } : {}),
    };
  }

  #submit(op: string): Request {
    const { source } = this.#world;
    const specs = Array.from({ length: source.whole("specs", 1, 3) }, (_, index): TaskSpec & { readonly id: string } => {
      const id = `${op.slice(3)}-${index}`;
      // A need that nobody knows is refused.
      const needs = this.#acknowledged.length > 0 && source.chance("needs", 0.3) ? [source.pick("need", this.#acknowledged)] : [];
      return {
        id,
        input: { command: { argv: ["true"] }, cwd: "/" },
        retry: { attemptsMax: 1 + source.whole("retries", 0, 2) },
        executionTimeoutMs: 8_000,
        priority: source.whole("priority", 0, 2),
        needs,
      };
    });
    const ids = specs.map(({ id }) => id);
    this.#tasks.push(...ids);
    return {
      op,
      says: `submits ${ids.join(", ")}`,
      keyed: true,
      call: async (process) => {
        if (process.dispatcher === undefined) throw new NotReady();
        await process.dispatcher.submit(specs);
        return { submitted: ids };
      },
      onDone: () => void this.#acknowledged.push(...ids),
    };
  }

  #endpoint(): string {
    return `e${this.#world.source.whole("endpoint", 1, this.#world.plan.broker?.endpoints ?? 1)}`;
  }

  /** A message from outside: its sender gives it again until the broker has said that it took it. */
  #message(op: string): Request {
    const { source } = this.#world;
    const id = `m${op.slice(3)}`;
    const message = {
      id,
      content: op,
      ...(source.chance("targeted", 0.9) ? { target: this.#endpoint() } : {}),
      ...(source.chance("talks", 0.3) ? { conversation: `talk ${source.whole("talk", 1, 2)}` } : {}),
    };
    return {
      op,
      says: `brings ${id}`,
      keyed: true,
      call: async ({ broker }) => {
        if (broker === undefined) throw new NotReady();
        await broker.receive(message);
        return { received: id };
      },
    };
  }

  #command(op: string, sender: Sender, account: string | undefined): Request {
    const command = sender.next(op, account);
    const { requestId } = command.cursor;
    const inbox = sender.inbox;
    let answer: Acknowledgement | undefined;
    return {
      op,
      says: `commands ${requestId} of inbox/${inbox}`,
      keyed: true,
      call: async ({ inboxes }) => {
        if (inboxes === undefined) throw new NotReady();
        const acknowledged = sender.acknowledged(command);
        await inboxes.receive(inbox, command);
        answer = await acknowledged;
        return { done: true };
      },
      onDone: () => sender.done(command, answer),
      onLeftOut: () => {
        this.#world.checker.inboxBook.givenUp.add(requestId);
        sender.done(command, undefined);
      },
    };
  }

  /** The next inbox takes over from the one before. */
  #adopt(op: string, sender: Sender): Request {
    const [from, next] = [sender.inbox, sender.nextInbox];
    sender.begin();
    return {
      op,
      says: `has inbox/${next} take over from inbox/${from}`,
      keyed: true,
      call: async ({ inboxes }) => {
        if (inboxes === undefined) throw new NotReady();
        await inboxes.adopt(next, from);
        return { done: true };
      },
      onDone: () => sender.moved(),
      onLeftOut: () => sender.done(undefined, undefined),
    };
  }

  acknowledged(answer: Acknowledgement): void {
    for (const sender of this.#senders) sender.heard(answer);
  }

  #schedule(op: string): Request {
    const name = `clock-${op.slice(3)}`;
    let given: NewSchedule | undefined;
    return {
      op,
      says: `makes schedule/${name}`,
      keyed: true,
      call: async ({ schedules, clock }) => {
        if (schedules === undefined) throw new NotReady();
        given ??= drawSchedule(this.#world.source, clock.now());
        await schedules.create(name, given);
        return { made: `schedule/${name}` };
      },
      onDone: () => void this.#schedules.push(name),
    };
  }

  /** An order to a schedule. */
  #clock(op: string, name: string): Request {
    const { source, now } = this.#world;
    const order = source.pick("clock", ["trigger", "trigger", "backfill", "pause", "resume", "resume", "remove"] as const);
    const stretch = { from: now - source.whole("backfillMs", 0, 30_000), to: now - 1 };
    return {
      op,
      says: `${order} schedule/${name}`,
      keyed: order !== "trigger",
      call: async ({ schedules }) => {
        if (schedules === undefined) throw new NotReady();
        if (order === "trigger") return { triggered: await schedules.trigger(name) };
        if (order === "backfill") await schedules.backfill(name, stretch);
        else if (order === "remove") await schedules.remove(name);
        else await schedules[order](name, { by: "client", why: op });
        return { done: true };
      },
    };
  }

  #ask(client: Client, request: Request): void {
    const world = this.#world;
    const process = world.target;
    if (process === undefined) {
      world.later(undefined, world.source.whole("retryMs", 50, 1_000), () => this.#again(client, request));
      return;
    }
    const call = `c${++this.#calls}`;
    world.current = process;
    process.unanswered++;
    let over = false;
    const isHeard = () => {
      if (process.dead) return false;
      process.unanswered--;
      const first = !over;
      over = true;
      return first;
    };
    request.call(process, call).then(
      (answer) => {
        if (process.dead) return;
        this.#hold(request, call, answer);
        if (isHeard()) this.#answered(client, request);
      },
      (error) => {
        if (process.dead) return;
        this.#holdRefusal(request, call, error);
        if (isHeard()) this.#refused(client, request, error);
      },
    );
    // Whoever hears nothing for long enough asks again.
    world.later(undefined, world.source.whole("patienceMs", 2_000, 40_000), () => {
      if (over) return;
      over = true;
      this.#again(client, request);
    });
  }

  #again(client: Client, request: Request): void {
    if (client.request !== request) return;
    if (request.keyed) this.#ask(client, request);
    else client.request = undefined;
  }

  #answered(client: Client, request: Request): void {
    if (client.request !== request) return;
    if (request.keyed && this.#world.fault("answerLost")) {
      // Some ask so late that their key may be forgotten.
      this.#world.later(undefined, this.#world.source.pick("againMs", [50, 3_000, 70_000]), () => this.#again(client, request));
      return;
    }
    request.onDone?.();
    client.request = undefined;
  }

  #refused(client: Client, request: Request, error: unknown): void {
    if (client.request !== request) return;
    const tag = tagOf(error);
    // One that hears too often that there is no room turns away.
    const turnsAway = tag === "InboxFull" && this.#world.source.chance("turnsAway", 0.1);
    if (!request.keyed || turnsAway || tag === "ActorFailed" || tag === "UnknownActor" || tag === "UnknownTask" || scheduleErrors.has(tag)) client.request = undefined;
    else this.#world.later(undefined, this.#world.source.whole("retryMs", 50, tag === "InboxFull" ? 5_000 : 1_000), () => this.#again(client, request));
  }

  /** What was acknowledged must be stored at this moment. */
  #hold(request: Request, call: string, answer: Answer): void {
    const { store, checker, ledger } = this.#world;
    this.#world.trace(`${request.op} ${call} is answered`);
    if ("asked" in answer) return this.#world.mark("question answered");
    if ("done" in answer) return;
    if ("triggered" in answer) return void ledger.triggered.add(answer.triggered);
    if ("made" in answer) {
      if (store.actor(answer.made) === undefined) checker.violate("I2", `${request.op}: ${answer.made} was acknowledged and is not stored`);
      return;
    }
    if ("received" in answer) {
      if (store.actor(`message/${answer.received}`) === undefined) checker.violate("I2", `${request.op}: the message ${answer.received} was acknowledged and is not stored`);
      ledger.messages.add(answer.received);
      return;
    }
    if ("submitted" in answer) {
      for (const id of answer.submitted) {
        if (store.actor(`task/${id}`) === undefined) checker.violate("I2", `${request.op}: the task ${id} was acknowledged and is not stored`);
        ledger.tasks.add(id);
      }
      return;
    }
    if ("cancelled" in answer) {
      if (!ledger.stored.has(answer.cancelled)) checker.violate("I2", `${request.op}: a cancellation was acknowledged and is not stored`);
      return;
    }
    const actor = store.actor(answer.address);
    if (actor === undefined) return checker.violate("I2", `${request.op}: ${answer.address} was acknowledged and is not stored`);
    if (request.says.startsWith("starts")) return;
    const entry = store.entry(actor.id, answer.seq);
    const event = entry === undefined ? undefined : (JSON.parse(entry.event) as { op?: unknown; call?: unknown });
    if (entry === undefined || event?.op !== request.op)
      return checker.violate("I2", `${request.op}: entry ${answer.seq} of ${answer.address} was acknowledged, and stored is ${entry?.event ?? "nothing"}`);
    if (entry.outcome !== answer.outcome) checker.violate("I3", `${request.op}: it was ${entry.outcome}, its client was told ${answer.outcome}`);
    if (answer.duplicate) this.#world.mark("duplicate key answered from store");
    const earlier = this.#seqs.get(request.op);
    if (earlier !== undefined && earlier.seq !== answer.seq && Math.abs(answer.at - earlier.at) < this.#world.plan.limits.keyRetentionMs)
      checker.violate("I3", `${request.op}: its first receipt was for entry ${earlier.seq}, a later one for entry ${answer.seq}`);
    if (earlier === undefined) this.#seqs.set(request.op, answer);
  }

  /** What was refused must not be stored, then or later. */
  #holdRefusal(request: Request, call: string, error: unknown): void {
    const { checker, ledger } = this.#world;
    const tag = tagOf(error);
    const text = error instanceof Error ? error.message : String(error);
    this.#world.trace(`${request.op} ${call} is refused: ${tag}`);
    if (!known.has(tag)) checker.violate("I10", `${request.op}: its client was told something unexpected: ${error instanceof Error ? error.stack : text}`);
    if ((error as { reason?: unknown }).reason === "defect") checker.violate("I10", `${request.op}: the engine failed in itself: ${text}`);
    if (tag === "TimedOut") this.#world.mark("question not answered in time");
    if (tag === "UnknownActor" && !request.says.includes("task/") && !request.says.startsWith("hands out")) checker.violate("I2", `${request.op}: ${text}`);
    if (!nothingStored.has(tag) && !(tag === "EngineClosed" && !text.includes("whether") && !text.includes("meanwhile"))) return;
    const where = ledger.stored.get(call);
    if (where !== undefined) checker.violate("I3", `${request.op}: the call ${call} was refused (${text}), but it is stored: ${where}`);
    ledger.refused.set(call, tag);
  }
}

/** The host has an engine, and no dispatcher yet. */
class NotReady extends Error {
  readonly _tag = "NotReady";
}

const scheduleErrors: ReadonlySet<string> = new Set(["InvalidSchedule", "UnknownSchedule", "ScheduleFull"]);
const known: ReadonlySet<string> = new Set([
  ...scheduleErrors,
  "EngineDegraded",
  "EngineBusy",
  "EngineClosed",
  "ActorFailed",
  "UnknownActor",
  "UnknownTask",
  "TimedOut",
  "Unanswered",
  "JournalError",
  "JournalFenced",
  "NotReady",
  "InboxFull",
  "NotInInbox",
  "TargetRefused",
  "UnknownEndpoint",
]);
const tagOf = (error: unknown): string => String((error as { _tag?: unknown } | null)?._tag ?? "none");
