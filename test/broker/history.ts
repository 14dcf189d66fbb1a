import * as Effect from "effect/Effect";
import { inProcess, makeBroker, type Broker, type Frame, type Session } from "../../src/broker/index.ts";
import { delivered, makeOutboxes, refused, retry } from "../../src/delivery/index.ts";
import type { Verdict } from "../../src/domain/outbox.ts";
import type { Plugin } from "../../src/engine/index.ts";
import { testEngine } from "../../src/testing/index.ts";
import { random } from "../crash/random.ts";

/** What a history came to. */
export interface Ended {
  readonly seed: number;
  readonly messages: number;
  readonly flaps: number;
  readonly restarts: number;
  /** Messages by the place at which they ended. */
  readonly places: Readonly<Record<string, number>>;
  /** What must hold and did not. */
  readonly wrong: ReadonlyArray<string>;
}

/** An endpoint's process with a memory: it accepts, works for a moment and answers, over whatever connection it has. */
class Resident {
  session: Session | undefined;
  connection: ReturnType<typeof inProcess> | undefined;
  /** Frames that are read one after the other. */
  readonly read: Array<Frame> = [];
  /** What was written to its process. */
  readonly pushed = new Set<string>();
  /** What it began: nobody else may. */
  readonly begun = new Set<string>();
  readonly answers = new Map<string, { tries: number; isDone: boolean }>();
  owner: string;
  readonly id: string;
  constructor(id: string) {
    this.id = id;
    this.owner = `${id}.1`;
  }
}

const endings = ["answered", "unanswered", "failed", "expired", "settled", "undispatched", "closed"];

/**
 * One history, from its seed: messages come while endpoints come and go every 10 to 500 ms, the inbox is full, buffers
 * can't be written, the outside is away, refuses, is silent or throws, and the broker is killed. Then all that stops,
 * and everything must have come to an end. `plant`: makes the broker wrong on purpose.
 */
export const runHistory = async (seed: number, plant: (broker: Broker) => Plugin = (broker) => broker): Promise<Ended> => {
  const { between, unit } = random(seed);
  const chance = (of: number) => unit() < of;
  const sent = new Map<string, number>();
  const told = new Map<string, number>();
  const wrong: Array<string> = [];
  const acknowledged = new Set<string>();
  /** Messages by the endpoint that began them. */
  const begunBy = new Map<string, string>();
  const dead = new Set<string>();
  let isCalm = false;
  let outside = (): Verdict | Promise<Verdict> => delivered;
  const faults = {
    flush: chance(0.5) ? unit() * 0.3 : 0,
    away: chance(0.5) ? unit() * 0.5 : 0,
    silent: chance(0.5) ? unit() * 0.3 : 0,
    restart: chance(0.5) ? 0.02 : 0,
    death: chance(0.5) ? 0.05 : 0,
  };
  const broker: Broker = makeBroker({
    connector: async ({ message }) => {
      const verdict = await outside();
      if (verdict.verdict === "delivered") sent.set(message.id, (sent.get(message.id) ?? 0) + 1);
      return verdict;
    },
    isOwnerAlive: (owner) => !dead.has(owner),
    outbox: "up",
    policy: {
      inboxMax: between(1, 6),
      slots: between(1, 10),
      bufferMax: between(1, 5),
      graceMs: between(100, 2_000),
      acceptanceTimeoutMs: between(200, 3_000),
      acknowledgementTimeoutMs: 500,
      heartbeatTimeoutMs: 3_600_000,
      returnRetryMs: 100,
      presenceGraceMs: 200,
      flushTimeoutMs: 1_000,
    },
  });
  const outboxes = makeOutboxes({
    up: {
      destination: ({ type, payload }) => {
        if (!isCalm && chance(0.2)) return retry("status 503");
        if (type !== "assignment") return delivered;
        const { assignment, sequence } = payload as { readonly assignment: string; readonly sequence: number };
        const before = told.get(assignment) ?? 0;
        if (sequence > before + 1) wrong.push(`${assignment}: ${sequence} was told after ${before}`);
        told.set(assignment, Math.max(before, sequence));
        return delivered;
      },
      policy: { retry: { attemptsMax: 1_000_000, backoff: { kind: "fixed", baseMs: 50 } } },
    },
  });
  const engine = await testEngine({ machines: [], plugins: [outboxes, plant(broker)] });
  const residents = Array.from({ length: between(1, 4) }, (_, index) => new Resident(`e${index}`));
  let flaps = 0;
  let restarts = 0;
  let given = 0;
  const waiting = new Set<string>();
  const run = async <A>(call: Effect.Effect<A, unknown>) => {
    const exit = Effect.runPromiseExit(call);
    await engine.settled();
    return exit;
  };
  const begin = (resident: Resident, assignment: string) => {
    const [, message = ""] = assignment.split("/");
    const other = begunBy.get(message) ?? resident.id;
    if (other !== resident.id) wrong.push(`${message} was begun by ${other} and ${resident.id}`);
    begunBy.set(message, resident.id);
    resident.begun.add(assignment);
    if (!resident.answers.has(assignment)) resident.answers.set(assignment, { tries: 0, isDone: false });
  };
  const attach = async (resident: Resident) => {
    const connection = inProcess((frame) => {
      if (!isCalm && chance(faults.flush)) throw new Error("it can't be written");
      const offered = frame.type === "withdrawn" ? resident.read.findIndex(({ assignment }) => assignment === frame.assignment) : -1;
      // What it has not begun yet it need not begin any more.
      if (offered >= 0) resident.read.splice(offered, 1);
      else resident.read.push(frame);
      resident.pushed.add(frame.assignment);
    });
    resident.connection = connection;
    const exit = await run(broker.attach({ endpoint: resident.id, owner: resident.owner }, connection));
    resident.session = exit._tag === "Success" ? exit.value : undefined;
    // What it accepted, and was not told before its process ended.
    for (const assignment of resident.session?.accepted ?? []) begin(resident, assignment);
    const view = await run(broker.endpoint(resident.id));
    if (view._tag === "Failure" || view.value.state !== "active" || view.value.buffered.length > 0) return;
    for (const assignment of view.value.assignments)
      if (!resident.begun.has(assignment) && !resident.pushed.has(assignment)) wrong.push(`${assignment} is kept no more, and ${resident.id} was never told`);
  };
  /** Does one thing for an endpoint: reads a frame, or tries to answer. What it can't do now it does later. */
  const work = async (resident: Resident) => {
    const { session } = resident;
    if (session === undefined || resident.connection?.isOpen() !== true) return;
    const frame = resident.read[0];
    if (frame !== undefined) {
      if (frame.type === "withdrawn" || resident.begun.has(frame.assignment)) return void resident.read.shift();
      if (!isCalm && chance(0.3)) return;
      if (!isCalm && chance(0.1)) {
        resident.read.shift();
        return void (await run(Effect.ignore(session.fail(frame.assignment, { reason: "busy", retryable: chance(0.7) }))));
      }
      const exit = await run(Effect.either(session.accept(frame.assignment)));
      if (exit._tag !== "Success") return;
      const { value } = exit;
      if (value._tag === "Left" && (value.left as { readonly retryable?: boolean }).retryable === true) return;
      resident.read.shift();
      if (value._tag === "Left") return;
      begin(resident, frame.assignment);
      return;
    }
    for (const [assignment, answer] of resident.answers) {
      if (answer.isDone) continue;
      outside = () => {
        if (isCalm) return delivered;
        if (chance(faults.away)) return retry("unreachable");
        if (chance(0.05)) return refused("too long");
        if (chance(faults.silent)) return new Promise<Verdict>(() => {});
        if (chance(0.03)) throw new Error("reset");
        return delivered;
      };
      // A refused reply is followed by another one, under another name.
      const calling = Effect.runPromiseExit(Effect.either(session.reply(assignment, `r${answer.tries}`, `answer ${answer.tries}`)));
      await engine.settled();
      await engine.advance(510);
      const exit = await Promise.race([calling, Promise.resolve(undefined)]);
      if (exit === undefined || exit._tag !== "Success") return;
      // The answer was lost with a connection: it makes the same request again.
      if (!isCalm && chance(0.1)) return;
      const { value } = exit;
      if (value._tag === "Right") answer.isDone = true;
      else if (value.left._tag === "ReplyRefused") answer.tries++;
      else if ((value.left as { readonly retryable?: boolean }).retryable !== true) answer.isDone = true;
      return;
    }
  };
  const deliver = async (id: string, target: string | undefined) => {
    const exit = await run(Effect.either(broker.receive({ id, content: id, ...(target === undefined ? {} : { target }), ...(chance(0.3) ? { conversation: `c${between(1, 3)}` } : {}) })));
    if (exit._tag === "Success" && exit.value._tag === "Right") {
      acknowledged.add(id);
      waiting.delete(id);
    } else waiting.add(id);
  };
  const handOut = async () => {
    const listed = await run(broker.inbox());
    if (listed._tag === "Success") for (const { id } of listed.value) await run(Effect.ignore(broker.dispatch(id, residents[between(0, residents.length - 1)]?.id ?? "")));
  };
  try {
    for (const resident of residents) await attach(resident);
    const nextFlap = residents.map(() => engine.time.now() + between(10, 500));
    for (let step = 0; step < 30; step++) {
      await engine.advance(between(5, 100));
      if (chance(0.5)) await deliver(`m${++given}`, chance(0.7) ? residents[between(0, residents.length - 1)]?.id : undefined);
      if (chance(0.2)) for (const id of [...waiting]) await deliver(id, undefined);
      for (const [index, resident] of residents.entries()) {
        await work(resident);
        if ((nextFlap[index] ?? 0) > engine.time.now()) continue;
        nextFlap[index] = engine.time.now() + between(10, 500);
        flaps++;
        if (resident.connection?.isOpen() === true) {
          if (chance(faults.death)) {
            dead.add(resident.owner);
            resident.owner = `${resident.id}.${step + 2}`;
            // What was not accepted is gone with its process; what was is remembered.
            resident.read.length = 0;
            resident.pushed.clear();
          }
          resident.connection.close();
          await engine.settled();
        } else await attach(resident);
      }
      if (chance(0.1)) await handOut();
      if (chance(faults.restart)) {
        restarts++;
        await engine.restart();
      }
    }
    isCalm = true;
    outside = () => delivered;
    for (let round = 0; round < 80; round++) {
      for (const resident of residents) {
        if (resident.connection?.isOpen() !== true) await attach(resident);
        await work(resident);
        for (let frames = resident.read.length; frames > 0; frames--) await work(resident);
      }
      await handOut();
      for (const id of [...waiting]) await deliver(id, undefined);
      await engine.advance(400);
      const isBusy = residents.some(({ read, answers }) => read.length > 0 || [...answers.values()].some(({ isDone }) => !isDone));
      if (!isBusy && waiting.size === 0 && round > 3) break;
    }
    await engine.advance(10_000);
    const places: Record<string, number> = {};
    for (const id of acknowledged) {
      const view = await run(broker.message(id));
      const place = view._tag === "Success" ? view.value.state : "lost";
      places[place] = (places[place] ?? 0) + 1;
      if (!endings.includes(place)) wrong.push(`${id} is ${place}`);
      const times = sent.get(id) ?? 0;
      if (times > 1) wrong.push(`${id} was answered ${times} times`);
      if (place === "answered" && times !== 1) wrong.push(`${id} counts as answered, and was sent ${times} times`);
      if (times > 0 && place !== "answered" && place !== "unanswered") wrong.push(`${id} was answered, and is ${place}`);
    }
    if (waiting.size > 0) wrong.push(`not stored: ${[...waiting].join(", ")}`);
    wrong.push(...(await engine.problems()));
    return { seed, messages: acknowledged.size, flaps, restarts, places, wrong };
  } finally {
    await engine.dispose();
  }
};
