import { fromPromise } from "xstate";
import { type ActivityInfo, currentActivity } from "../../src/engine/index.ts";

/** One call of a promise that a test ends when it likes. */
export interface HeldCall {
  readonly input: unknown;
  readonly info: ActivityInfo;
  readonly resolve: (output?: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Promise logic whose calls the test holds in its hands; nothing happens in it by itself. */
export class Held {
  readonly calls: Array<HeldCall> = [];
  readonly logic = fromPromise<unknown, unknown>(
    ({ input }) =>
      new Promise((resolve, reject) => {
        this.calls.push({ input, info: currentActivity() as ActivityInfo, resolve, reject });
      }),
  );

  /** The latest call. */
  get last(): HeldCall {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("it was not called yet");
    return call;
  }
}
