import { assign, enqueueActions, setup } from "xstate";
import { actorRef, openEngine } from "../../src/index.ts";

/*
 * A process with an engine whose machine ends it: `poison-process.js FILE PLACE HOW WORK`. PLACE is where it ends (guard,
 * timer, action, nowhere), HOW is exit, kill or heap. WORK is begin (sends the work), or continue (opens, settles and
 * says what it finds), or requeue (does so after all dead letters were requeued).
 */
const [file, place, how, work] = process.argv.slice(2) as [string, string, string, string];

const end = (): void => {
  if (how === "exit") process.exit(9);
  if (how === "kill") process.kill(process.pid, "SIGKILL");
  const heap: Array<unknown> = [];
  for (;;) heap.push(new Array(1_000).fill(heap.length));
};
const reach = (where: string, name: string): boolean => {
  if (where === place && name === "kill") end();
  return true;
};

const victim = setup({
  types: { context: {} as { heard: boolean; rang: boolean; name: string }, input: {} as { name: string }, events: {} as { type: "TELL" } | { type: "WAIT" } | { type: "ACT" } },
  guards: { survives: ({ context }) => reach("guard", context.name) },
  actions: {
    ring: assign({ rang: ({ context }) => reach("timer", context.name) }),
    act: ({ context }) => {
      reach("action", context.name);
      console.log(JSON.stringify({ acted: context.name }));
    },
  },
}).createMachine({
  id: "victim",
  context: ({ input }) => ({ heard: false, rang: false, name: input.name }),
  initial: "idle",
  on: { TELL: { guard: "survives", actions: assign({ heard: true }) }, WAIT: ".waiting", ACT: { actions: "act" } },
  states: { idle: {}, waiting: { after: { 50: { target: "idle", actions: "ring" } } } },
});
const names = ["one", "two", "kill", "three", "four"];
const all = setup({ types: { events: {} as { type: "TELL" } } }).createMachine({
  id: "all",
  on: {
    TELL: {
      actions: enqueueActions(({ enqueue }) => {
        for (const name of names) enqueue.sendTo(() => actorRef(`victim/${name}`), { type: "TELL" });
      }),
    },
  },
});

const engine = await openEngine({ database: file, machines: [victim, all], limits: { turnMessagesMax: 1 }, log: () => {} });
if (work === "begin") {
  await engine.startAll(names.map((name) => ({ machine: "victim", id: name, input: { name } })));
  await engine.start("all", "1");
  if (place === "guard") await engine.send("all/1", { type: "TELL" });
  else await Promise.all(names.map((name) => engine.send(`victim/${name}`, { type: place === "timer" ? "WAIT" : "ACT" })));
}
if (work === "requeue") console.log(JSON.stringify({ requeued: await engine.requeue({}) }));
await engine.settled();
if (place === "timer")
  await Promise.all(names.filter((name) => name !== "kill" || work === "begin").map((name) => engine.waitFor(`victim/${name}`, ({ context }) => (context as { rang: boolean }).rang)));
const views = await Promise.all(names.map((name) => engine.snapshot(`victim/${name}`)));
const letters = (await engine.deadLetters()).map(({ kind, address, error }) => ({ kind, address, code: error.code, message: error.message }));
console.log(JSON.stringify({ done: views.map(({ context }) => context), letters }));
await engine.close();
