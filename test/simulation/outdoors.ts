import type { EventObject } from "xstate";
import type { ActivityContext } from "../../machines/activity.ts";
import { parentAddress } from "../../src/domain/address.ts";
import { type ActionInfo, currentActivity } from "../../src/engine/index.ts";
import type { Life } from "./life.ts";
import type { SimProcess } from "./process.ts";
import type { World } from "./world.ts";

/** Without its stack, which tells of what ran beside it. */
const simulated = (message: string): Error => Object.assign(new Error(message), { stack: message });

/** What actors do outside: the actions, activities and callbacks of their machines, which fail, hang, and come too late. */
export class Outdoors {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** A custom action: it must be stored and owed, and is written into the ledger. */
  act(process: SimProcess, name: string, action: (info: ActionInfo) => unknown, info: ActionInfo): unknown {
    if (process.dead) return undefined;
    const { address, seq } = info;
    // What an owner that was taken over still does may have been done by the next one.
    if (!this.#world.checker.owes(address, seq, name) && process.epoch === this.#world.checker.epoch)
      this.#world.checker.violate("I1", `${address}: the action ${name} of entry ${seq} is carried out, and nobody owes it`);
    const asked = `${address}#${seq}#${name}`;
    const { actions } = this.#world.ledger;
    actions.set(asked, (actions.get(asked) ?? new Set()).add(info.key));
    if (process.leftEffects.size > 0 && this.#world.store.owed().effects.some((id) => process.leftEffects.has(id))) this.#world.mark("action taken up after a crash");
    this.#world.trace(`${process.name} ${address} ${name} of entry ${seq}`);
    if (name !== "record") return action(info);
    if (this.#world.fault("actionThrew")) throw simulated("the action threw");
    if (this.#world.fault("actionSlow")) return new Promise<void>((resolve) => this.#world.later(process, this.#world.source.whole("actionMs", 1, 3_000), resolve));
    return undefined;
  }

  /** An attempt of the activity `carry`. */
  carry(input: string, signal: AbortSignal): Promise<unknown> {
    const process = this.#world.current;
    const info = currentActivity();
    if (process === undefined || info === undefined || process.dead) return new Promise(() => {});
    // What an owner that was taken over begins is not what is stored any more.
    if (process.epoch === this.#world.checker.epoch) {
      // One that waited for its turn may belong to an incarnation that is over, if its engine has not heard of that yet.
      const lives = [...this.#world.checker.lives.values()].filter(({ address }) => address === info.address);
      const attemptOf = (life: Life) => (life.state.snapshot.context as ActivityContext).attempt;
      if (!lives.some((life) => attemptOf(life) >= info.attempt)) this.#world.checker.violate("I1", `${info.address}: attempt ${info.attempt} is begun, and it is not stored`);
      const latest = lives.at(-1);
      if (latest !== undefined && attemptOf(latest) === info.attempt) {
        const key = `${latest.id}/${info.attempt}`;
        if (this.#world.ledger.attempts.has(key) && !lives.some((life) => life !== latest && attemptOf(life) === info.attempt))
          this.#world.checker.violate("I6", `${info.address}: attempt ${info.attempt} is begun twice`);
        this.#world.ledger.attempts.add(key);
      }
    }
    this.#world.trace(`${process.name} ${info.address} attempt ${info.attempt} begins`);
    process.carrying.add(info.signal);
    if (process.carrying.size > this.#world.plan.limits.activitiesMax)
      this.#world.checker.violate("I11", `${process.carrying.size} activities run, at most ${this.#world.plan.limits.activitiesMax} may`);
    return new Promise((resolve, reject) => {
      const end = this.#world.fault("activityFailed") ? () => reject(simulated("the activity failed")) : () => resolve(`carried ${input}`);
      const deaf = this.#world.fault("activityDeaf");
      signal.addEventListener("abort", () => {
        process.carrying.delete(info.signal);
        if (!deaf) return reject(simulated("aborted"));
        this.#world.later(process, this.#world.source.whole("deafMs", 0, 3_000), () => {
          this.#world.mark("late answer of an aborted attempt refused");
          end();
        });
      });
      if (this.#world.fault("activityHung")) return;
      this.#world.later(process, this.#world.source.whole("activityMs", 0, 5_000), () => {
        process.carrying.delete(info.signal);
        end();
        this.recall(process, info.address);
      });
    });
  }

  /** A run of the callback `pulse`: a few ticks, and sometimes it breaks. */
  pulse(tick: (event: EventObject) => void): () => void {
    const process = this.#world.current;
    if (process === undefined || process.dead) return () => {};
    if (this.#world.fault("callbackBroke")) throw simulated("the callback broke");
    let isOver = false;
    const next = (left: number) =>
      this.#world.later(process, this.#world.source.whole("pulseMs", 1, 1_500), () => {
        if (isOver) return;
        // Where too much waits the engine refuses; the next tick will do.
        try {
          tick({ type: "TICK" });
        } catch (error) {
          if ((error as { _tag?: unknown })._tag !== "EngineBusy") throw error;
        }
        if (left > 0) next(left - 1);
      });
    next(3);
    return () => {
      isOver = true;
    };
  }

  /** At the very moment at which it ends nobody wants it any more. */
  recall(process: SimProcess | undefined, child: string): void {
    if (process?.isOpen !== true || !this.#world.source.chance("recalledAtTheEnd", 0.7)) return;
    process.engine?.report(parentAddress(child) ?? "", { type: "RECALL", op: "report" });
  }
}
