import { fromCallback, fromEventObservable, fromObservable, type EventObject, type Subscribable } from "xstate";

interface CallbackRun {
  readonly input: unknown;
  readonly told: Array<EventObject>;
  readonly sendBack: (event: EventObject) => void;
  readonly emit: (event: EventObject) => void;
  readonly self: { readonly send: (event: EventObject) => void };
  readonly system: { readonly get: (id: string) => { readonly send: (event: EventObject) => void } };
  ended: boolean;
}

/** Callback logic whose runs a test holds in its hands. */
export class HeldCallback {
  readonly runs: Array<CallbackRun> = [];
  readonly logic = fromCallback<EventObject, unknown>(({ input, sendBack, receive, emit, self, system }) => {
    const run: CallbackRun = { input, told: [], sendBack, emit: emit as never, self: self as never, system: system as never, ended: false };
    receive((event) => void run.told.push(event));
    this.runs.push(run);
    return () => {
      run.ended = true;
    };
  });
  get last(): CallbackRun {
    const run = this.runs.at(-1);
    if (run === undefined) throw new Error("it was not begun yet");
    return run;
  }
}

interface Subscription {
  readonly input: unknown;
  readonly next: (value: unknown) => void;
  readonly error: (error: unknown) => void;
  readonly complete: () => void;
  ended: boolean;
}

/** Observable logic whose subscriptions a test holds in its hands. */
export class HeldObservable {
  readonly subscriptions: Array<Subscription> = [];
  readonly #observe = ({ input }: { input: unknown }): Subscribable<never> => ({
    subscribe: (first: unknown) => {
      const observer = first as Pick<Subscription, "next" | "error" | "complete">;
      const subscription: Subscription = { input, next: (value) => observer.next(value), error: (error) => observer.error(error), complete: () => observer.complete(), ended: false };
      this.subscriptions.push(subscription);
      return {
        unsubscribe: () => {
          subscription.ended = true;
        },
      };
    },
  });
  readonly values = fromObservable<unknown, unknown>(this.#observe);
  readonly events = fromEventObservable<EventObject, unknown>(this.#observe);
  get last(): Subscription {
    const subscription = this.subscriptions.at(-1);
    if (subscription === undefined) throw new Error("nobody subscribed yet");
    return subscription;
  }
}
