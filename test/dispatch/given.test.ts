import { describe, expect, test } from "vitest";
import { makeBroker } from "../../src/broker/index.ts";
import { httpDestination, makeInboxes, makeObligations, makeOutboxes } from "../../src/delivery/index.ts";
import { type Dispatcher, dispatchMachines, openDispatcher } from "../../src/dispatch/index.ts";
import { InvalidOptions, openEngine, type Taskwright } from "../../src/engine/index.ts";
import { makeOrchestration } from "../../src/orchestration/index.ts";
import { makeServer } from "../../src/server/index.ts";

const problemsOf = (make: () => unknown): ReadonlyArray<string> => {
  try {
    make();
  } catch (error) {
    if (error instanceof InvalidOptions || (error as { _tag?: unknown })._tag === "UnsafeServer") return (error as InvalidOptions).problems;
    throw error;
  }
  return [];
};

describe("dispatch > given > options", () => {
  test.each<[string, () => unknown, string]>([
    ["of dispatchMachines", () => dispatchMachines({ kind: {} } as never), 'dispatchMachines: there is no kind (did you mean "kinds"?)'],
    ["of a kind", () => dispatchMachines({ kinds: { mail: { runs: () => 1 } as never } }), 'kind "mail": there is no runs (did you mean "run"?)'],
    ["a function in place of a kind", () => dispatchMachines({ kinds: { mail: (() => 1) as never } }), 'kind "mail": give { run: … } in place of the function alone'],
    ["a run that can't be called", () => dispatchMachines({ kinds: { mail: { run: "send" as never } } }), 'kind "mail": run must be a function, got "send"'],
    ["of an outbox", () => makeOutboxes({ mail: { destinations: () => {} } as never }), 'outbox "mail": there is no destinations (did you mean "destination"?)'],
    ["an outbox without a destination", () => makeOutboxes({ mail: {} as never }), 'outbox "mail": destination must be a function, got nothing'],
    ["a function in place of an outbox", () => makeOutboxes({ mail: (() => {}) as never }), 'outbox "mail": give { destination: … } in place of the function alone'],
    ["of a policy", () => makeOutboxes({ mail: { destination: () => {}, policy: { retries: 3 } as never } }), 'outbox "mail": policy: there is no retries (there are: order, retry,'],
    [
      "of the retries of a policy",
      () => makeOutboxes({ mail: { destination: () => {}, policy: { retry: { attempts: 3, backoff: { kind: "fixed", baseMs: 1 } } } as never } }),
      'outbox "mail": policy.retry: there is no attempts (did you mean "attemptsMax"?)',
    ],
    ["of an inbox", () => makeInboxes({ box: { handle: () => {} } as never }), 'inbox "box": there is no handle (did you mean "handler"?)'],
    ["a function in place of an inbox", () => makeInboxes({ box: (() => {}) as never }), 'inbox "box": give { handler: … } in place of the function alone'],
    ["an outbox of an inbox that is no name", () => makeInboxes({ box: { outbox: {} as never } }), 'inbox "box": outbox must be the name of an outbox, got an object'],
    ["of obligations", () => makeObligations({ stock: { read: () => 1, refresh: 5 } as never }), 'obligations "stock": there is no refresh (did you mean "refreshMs"?)'],
    ["obligations that nobody reads", () => makeObligations({ stock: {} as never }), 'obligations "stock": read must be a function, got nothing'],
    ["of a broker", () => makeBroker({ connector: () => {}, drive: () => {} } as never), 'makeBroker: there is no drive (did you mean "driver"?)'],
    ["a broker without a connector", () => makeBroker({} as never), "makeBroker: connector must be a function, got nothing"],
    ["none, of a broker", () => makeBroker(undefined as never), "makeBroker: it must be an object, got nothing"],
    ["a command of a broker that can't be called", () => makeBroker({ connector: () => {}, commands: { stop: 5 } } as never), "makeBroker: commands.stop must be a function, got the number 5"],
    ["of a broker's policy", () => makeBroker({ connector: () => {}, policy: { inboxmax: 5 } } as never), 'makeBroker: policy: there is no inboxmax (did you mean "inboxMax"'],
    ["a policy of a broker that can't be", () => makeBroker({ connector: () => {}, policy: { slots: 0 } } as never), "makeBroker: policy.slots: Expected a positive number"],
    ["of orchestration", () => makeOrchestration({ queues: "agents" } as never), 'makeOrchestration: there is no queues (did you mean "queue"?)'],
    ["of a destination", () => httpDestination({ url: "https://example.org", timeout: 5 } as never), 'there is no timeout (did you mean "timeoutMs"'],
    ["of a server", () => makeServer({ token: "secret" } as never), 'makeServer: there is no token (did you mean "tokens"?)'],
    ["none, of a server", () => makeServer(undefined as never), "makeServer: it must be an object, got nothing"],
    ["a limit of a server", () => makeServer({ engine: {} as never, limits: { bodyBytes: 5 } as never }), 'limits: there is no bodyBytes (did you mean "bodyBytesMax"?)'],
  ])("that there are not are refused: %s", (_, make, problem) => {
    expect(problemsOf(make)).toContainEqual(expect.stringContaining(problem));
  });

  test.each<[string, unknown, string]>([
    ["a misspelled field", { kind: "mail", prority: 3 }, 'there is no prority (did you mean "priority"?)'],
    ["a text in place of a task", "mail", 'it must be an object, got "mail"'],
    ["a misspelled field of its retries", { kind: "mail", retry: { attempts: 3 } }, 'retry: there is no attempts (did you mean "attemptsMax"?)'],
    ["a misspelled field of its back-off", { kind: "mail", retry: { backoff: { kind: "fixed", base: 3 } } }, 'retry.backoff: there is no base (did you mean "baseMs"?)'],
    ["a misspelled kind", { kind: "mial" }, 'no kind "mial" is declared (did you mean "mail"?)'],
  ])("of a task are refused before anything is stored: %s", async (_, spec, message) => {
    const dispatch = dispatchMachines({ kinds: { mail: { run: () => 1 } } });
    const engine = await openEngine({ machines: [], plugins: [dispatch] });
    const tasks = await openDispatcher(engine, dispatch, {});
    await expect(tasks.submit(spec as never)).rejects.toMatchObject({ _tag: "InvalidTask", message: expect.stringContaining(message) });
    await tasks.stop();
    await engine.close();
  });

  test.each<[string, object, string]>([
    ["an option", { slot: 2 }, 'openDispatcher: there is no slot (did you mean "slots"'],
    ["slots", { functionSlots: "4" }, 'openDispatcher: functionSlots must be a whole number, got "4"'],
    ["a queue", { queues: { mail: { rate: { tasksMax: 0, perMs: 10 } } } }, 'queue "mail": rate.tasksMax'],
    ["a misspelled rule of a queue", { queues: { mail: { slotMax: 3 } } }, 'queue "mail": there is no slotMax (did you mean "slotsMax"?)'],
    ["a misspelled rate of a queue", { queues: { mail: { rate: { taskMax: 1, perMs: 10 } } } }, 'queue "mail": rate: there is no taskMax (did you mean "tasksMax"?)'],
  ])("of openDispatcher that can't be are refused: %s", async (_, options, message) => {
    const dispatch = dispatchMachines({});
    const engine = await openEngine({ machines: [], plugins: [dispatch] });
    await expect(openDispatcher(engine, dispatch, options as never)).rejects.toMatchObject({ _tag: "InvalidOptions", message: expect.stringContaining(message) });
    await engine.close();
  });
});

describe("dispatch > given > calls", () => {
  const order = { by: "ada", why: "a test" };
  const opened = async (): Promise<{ readonly engine: Taskwright; readonly tasks: Dispatcher }> => {
    const dispatch = dispatchMachines({ kinds: { mail: {} } });
    const engine = await openEngine({ machines: [], plugins: [dispatch] });
    return { engine, tasks: await openDispatcher(engine, dispatch) };
  };
  test.each<[string, (tasks: Dispatcher) => Promise<unknown>, string]>([
    ["a misspelled filter, which would be all tasks", (tasks) => tasks.cancel({ knd: "mail" } as never, order), 'there is no knd (did you mean "kind"?)'],
    ["a state that there is not", (tasks) => tasks.cancel({ state: "runing" as never }, order), 'there is no state "runing"'],
    ["no filter", (tasks) => tasks.cancel(undefined as never, order), "it must be an object, got nothing"],
    ["nobody who gives the order", (tasks) => tasks.cancel("1", undefined as never), "an order says who gives it and why"],
    ["no reason for an order to a queue", (tasks) => tasks.queues.pause("mail", { by: "ada" } as never), "an order says who gives it and why"],
    ["a preview of a misspelled filter", (tasks) => tasks.preview("cancel", { knd: "mail" } as never), "there is no knd"],
    ["a misspelled filter of a list", (tasks) => tasks.list({ stat: "done" } as never), 'there is no stat (did you mean "state"'],
    ["a misspelled rule of a queue", (tasks) => tasks.queues.configure("mail", { slots: 3 } as never), 'queue "mail": there is no slots (did you mean "slotsMax"?)'],
    ["a rate at which nothing is ever begun", (tasks) => tasks.queues.configure("mail", { rate: { tasksMax: 0, perMs: 10 } }), 'queue "mail": rate.tasksMax'],
  ])("refuse %s, and tell nobody", async (_, call, message) => {
    const { engine, tasks } = await opened();
    await tasks.submit({ id: "1", kind: "mail" });
    await expect(call(tasks)).rejects.toMatchObject({ _tag: "InvalidOptions", message: expect.stringContaining(message) });
    expect((await tasks.get("1"))?.state).toBe("queued");
    expect(await engine.list({ machine: "queue" })).toEqual([]);
    await tasks.stop();
    await engine.close();
  });

  test("a task without a kind is told which one it has", async () => {
    const { engine, tasks } = await opened();
    await expect(tasks.submit({ input: { to: "ada" } } as never)).rejects.toMatchObject({ _tag: "InvalidTask", message: expect.stringContaining('its kind is "command", as no kind was given') });
    await tasks.stop();
    await engine.close();
  });
});
