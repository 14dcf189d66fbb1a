import type { WorkerContext } from "../../machines/worker.ts";
import type { ActorView, Taskwright } from "../engine/index.ts";

/** Workers of this process: how many, what they carry out, and how many slots each has. */
export interface LocalWorkers {
  readonly transport: string;
  readonly kinds: ReadonlyArray<string>;
  readonly count: number;
  readonly slots: number;
}

/**
 * Starts as many local workers as are wanted: those of an earlier engine first, further ones under new numbers; what
 * is not wanted any more is retired. Remote ones are told that they have to come back.
 */
export const takeOver = async (engine: Taskwright, wanted: ReadonlyArray<LocalWorkers>): Promise<void> => {
  let last = 0;
  const active: Array<{ readonly address: string; readonly number: number; readonly context: WorkerContext }> = [];
  const remote: Array<string> = [];
  for await (const { address, status, context } of all(engine, "worker")) {
    const number = Number(address.slice("worker/".length));
    if (Number.isSafeInteger(number)) last = Math.max(last, number);
    if (status !== "active") continue;
    if ((context as WorkerContext | undefined)?.isRemote === true) remote.push(address);
    else if (Number.isSafeInteger(number)) active.push({ address, number, context: context as WorkerContext });
  }
  active.sort((left, right) => left.number - right.number);
  const tell = (address: string, type: string) => engine.send(address, { type }).then(() => true, orUnable);
  const spare = new Set(active);
  const fresh: Array<LocalWorkers> = [];
  const kept: Array<Promise<boolean>> = [];
  for (const group of wanted) {
    const same = active.filter((worker) => spare.has(worker) && isSame(worker.context, group)).slice(0, group.count);
    for (const worker of same) spare.delete(worker);
    const told = same.map(({ address }) => tell(address, "ENGINE_STARTED"));
    kept.push(...told);
    const able = (await Promise.all(told)).filter(Boolean).length;
    fresh.push(...Array.from({ length: group.count - able }, () => group));
  }
  await Promise.all([...kept, ...[...spare].map(({ address }) => tell(address, "RETIRE")), ...remote.map((address) => tell(address, "ENGINE_STARTED"))]);
  await engine.startAll(fresh.map(({ slots, transport, kinds }, index) => ({ machine: "worker", id: String(last + 1 + index), input: { slots, transport, kinds } })));
};

/** A damaged row holds anything. */
const isSame = (context: WorkerContext | undefined, { transport, kinds, slots }: LocalWorkers): boolean =>
  context?.transport === transport && context.slots === slots && Array.isArray(context.kinds) && context.kinds.length === kinds.length && kinds.every((kind) => context.kinds.includes(kind));

/** A worker whose row is damaged can't be told anything: another one takes its place. */
const orUnable = (error: unknown): false => {
  const tag = (error as { readonly _tag?: unknown })._tag;
  if (tag === "ActorParked" || tag === "ActorFailed") return false;
  throw error;
};

/** All actors of a machine, a page at a time. */
export async function* all(engine: Taskwright, machine: string, status?: string): AsyncGenerator<ActorView> {
  const limit = 1_000;
  for (let after = 0; ; ) {
    const page = await engine.list({ machine, ...(status === undefined ? {} : { status }), after, limit });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return;
    after = last.id;
  }
}
