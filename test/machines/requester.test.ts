import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { requester, type RequesterContext, type RequesterEvent } from "../../machines/requester.ts";
import type { Actor, Stimulus } from "./actor.ts";
import { Chart } from "./chart.ts";
import { describeCoverage, describeTable, describeWalk, ignored, to } from "./table.ts";

const chart = new Chart(requester, []);
const bind = { type: "BIND", orchestrator: "orchestrator/a" } as const;
const bindOther = { type: "BIND", orchestrator: "orchestrator/b" } as const;
const unbind = { type: "UNBIND", orchestrator: "orchestrator/a" } as const;
const unbindOther = { type: "UNBIND", orchestrator: "orchestrator/b" } as const;
const end = { type: "END", by: "anna", why: "she left" } as const;
const call = { type: "CALL_TOOL", policy: { allowed: { requester: ["submit"] }, letThroughAt: 3 }, run: "1", tool: "write" } as const;

describe("machines > requester", () => {
  describeTable<RequesterEvent>(chart, {
    input: undefined,
    samples: { BIND: bind, UNBIND: unbind, END: end, CALL_TOOL: call },
    rows: {
      free: { way: [], on: { BIND: to("bound", bind), UNBIND: ignored("its orchestrator was given up before", unbind), END: ignored("there is nobody to tell", end), CALL_TOOL: to("free", call) } },
      bound: {
        way: [bind],
        on: { BIND: [to("bound", bind), to("bound", bindOther)], UNBIND: [to("free", unbind), ignored("that one was refused", unbindOther)], END: to("free", end), CALL_TOOL: to("bound", call) },
      },
    },
  });

  const told = (...stimuli: ReadonlyArray<Stimulus>): Actor => {
    const actor = chart.begin(undefined);
    for (const stimulus of stimuli) actor.tell(stimulus);
    return actor;
  };
  interface Message {
    readonly to: string;
    readonly type: string;
    readonly [key: string]: unknown;
  }
  const messages = (actor: Actor) => actor.commands.flatMap((command) => (command.type === "send" && command.to.kind === "address" ? [{ to: command.to.address, ...command.event } as Message] : []));
  test("has one orchestrator; another one is refused, with the one that it has", () => {
    expect(messages(told(bind, bindOther, bind))).toEqual([
      { to: "orchestrator/a", type: "BOUND" },
      { to: "orchestrator/b", type: "REFUSED", other: "orchestrator/a" },
      { to: "orchestrator/a", type: "BOUND" },
    ]);
  });
  test("after its orchestrator is over it takes another one", () => {
    expect(messages(told(bind, unbind, bindOther)).at(-1)).toEqual({ to: "orchestrator/b", type: "BOUND" });
  });
  test("its end is its orchestrator's", () => {
    expect(messages(told(bind, end)).at(-1)).toEqual({ to: "orchestrator/a", type: "REQUESTER_ENDED", by: "anna", why: "she left" });
  });
  test("whoever asks for a call is answered", () => {
    const replyTo = { xstate$$type: 1, id: "host/1", address: "host/1" } as never;
    const asked = { ...call, replyTo } as Stimulus;
    expect(messages(told(asked, asked, asked)).map(({ permission }) => permission)).toEqual(["blocked", "blocked", "letThrough"]);
  });

  describeWalk<RequesterContext>(chart, {
    input: fc.constant(undefined),
    told: fc.constantFrom<() => RequesterEvent>(
      () => bind,
      () => bindOther,
      () => unbind,
      () => unbindOther,
      () => end,
      () => call,
    ),
    invariants: { "null exactly while it is free": ({ state, context }) => (context.orchestrator === null) === (state === "free") },
  });

  describeCoverage(chart);
});
