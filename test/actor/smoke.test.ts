import { expect, test } from "vitest";
import { assign, fromPromise, setup } from "xstate";
import { decode, define, encode, start, step } from "../../src/actor/index.ts";
const m = setup({ types: {} as any, actors: { pay: fromPromise(async () => 1) }, actions: { note: () => {} } }).createMachine({
  id: "order", context: { n: 0 }, initial: "waiting",
  states: { waiting: { after: { 5000: "late" }, on: { PAY: { target: "paying", actions: ["note", assign({ n: ({ context }: any) => context.n + 1 })] } } }, paying: { invoke: { id: "job", src: "pay", input: { a: 1 }, onDone: "paid", onError: "late" } }, paid: { type: "final" }, late: {} },
});
test("smoke", () => {
  const d = define(m);
  let s = start(d, "order/1", undefined, undefined, 1000);
  console.log(encode(s.state), JSON.stringify(s.commands));
  s = step(d, decode(d, "order/1", undefined, encode(s.state)), { type: "PAY" }, 1500);
  console.log(encode(s.state), JSON.stringify(s.commands), s.outcome);
  s = step(d, decode(d, "order/1", undefined, encode(s.state)), { type: "taskwright.done", child: "job", token: 2, output: 3 }, 1500);
  console.log(encode(s.state), JSON.stringify(s.commands), s.outcome);
  expect(s.state.snapshot.status).toBe("done");
  const N = 200000; let t = performance.now(); let st = start(d, "order/1", undefined, undefined, 1000).state;
  for (let i = 0; i < N; i++) step(d, st, { type: "PAY" }, 1500);
  console.log("step us", ((performance.now() - t) / N) * 1000);
  t = performance.now(); for (let i = 0; i < N; i++) { const x = step(d, st, { type: "PAY" }, 1500); encode(x.state); }
  console.log("step+encode us", ((performance.now() - t) / N) * 1000);
});
