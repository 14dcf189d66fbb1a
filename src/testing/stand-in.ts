import { fromPromise } from "xstate";
import { type ActivityInfo, currentActivity } from "../engine/index.ts";

/** One call of a stand-in. */
export interface StandInCall<Input, Output> {
  readonly input: Input;
  readonly info: ActivityInfo;
  /** Answers a call that is held. */
  readonly resolve: (output: Output) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Stands for a promise actor in a test: `machine.provide({ actors: { charge: charge.logic } })`. With an answer it
 * answers every call, also one that is repeated after a crash; without one each call is held until the test resolves or
 * rejects it.
 */
export class StandIn<Input = unknown, Output = unknown> {
  readonly calls: Array<StandInCall<Input, Output>> = [];
  readonly logic = fromPromise<Output, Input>(
    ({ input }) =>
      new Promise<Output>((resolve, reject) => {
        const call = { input, info: currentActivity() as ActivityInfo, resolve, reject };
        this.calls.push(call);
        if (this.#answer !== undefined) resolve(Promise.resolve(call).then(this.#answer));
      }),
  );
  readonly #answer: ((call: StandInCall<Input, Output>) => Output | Promise<Output>) | undefined;

  /** `answer` may throw; `call.info.attempt` tells a first call from a repeated one. */
  constructor(answer?: (call: StandInCall<Input, Output>) => Output | Promise<Output>) {
    this.#answer = answer;
  }

  /** The latest call. */
  get last(): StandInCall<Input, Output> {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("it was not called yet");
    return call;
  }
}
