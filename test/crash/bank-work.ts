import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { currentActivity, type DurableMachine, openEngine, type Taskwright } from "../../src/engine/index.ts";
import type { Receipt } from "../../src/engine/index.ts";
import { account, fragile, herald, host, parcel } from "./bank-machines.ts";
import { journalOf, type Plant } from "./planted.ts";

export interface BankOptions {
  /** Holds the journal, work.db, and the ledger of what was done outside of it. */
  readonly folder: string;
  readonly plant?: Plant | undefined;
  readonly synchronous?: "FULL" | "NORMAL" | "OFF";
  /** The log is moved into the database often. */
  readonly quickLease?: boolean;
  /** Everything that one telling brings about is one turn; otherwise it goes through the stored mailbox. */
  readonly largeTurns?: boolean;
}

export const counts = { accounts: 10, additions: 60, tellings: 16, parcels: 10, breaks: 4 };

/** How many calls wait for their receipt at a time. */
const windowSize = 8;

/** Told after the receipt came. */
export type Acknowledge = (line: Readonly<Record<string, unknown>>) => void;

type Call = () => Promise<void>;

const list = (engine: Taskwright, acknowledge: Acknowledge): ReadonlyArray<Call> => {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  const receive = async (what: Readonly<Record<string, unknown>>, call: Promise<Receipt>) => {
    const { address, seq, duplicate } = await call;
    acknowledge({ ...what, address, seq, duplicate });
  };
  const start = (machine: string, id: string, input?: unknown) => () => receive({ ack: "start" }, engine.start(machine, id, input));
  const send = (address: string, type: string, id: string) => async () => {
    try {
      await receive({ ack: "event", id }, engine.send(address, { type, id }, { key: id }));
    } catch (error) {
      // Stored all the same, with the outcome "failed".
      if ((error as { _tag?: string })._tag !== "ActorFailed") throw error;
      acknowledge({ ack: "event", id, address });
    }
  };
  const accounts = numbers(counts.accounts).map((n) => `account/a${n}`);
  const mixed = [
    ...numbers(counts.parcels).map((n) => start("parcel", `p${n}`, { id: `p${n}` })),
    ...numbers(counts.additions).map((n) => send(accounts[n % accounts.length] as string, "ADD", `add-${n}`)),
    ...numbers(counts.tellings).map((n) => send("herald/h", "TELL", `news-${n}`)),
    ...numbers(counts.breaks).flatMap((n) => [send("fragile/f", "WORK", `work-${n}`), send("fragile/f", "BREAK", `break-${n}`)]),
  ];
  // Spread over the whole run, always in the same order.
  const spread = mixed.map((call, index) => ({ call, at: (index * 37) % mixed.length })).sort((left, right) => left.at - right.at);
  return [...accounts.map((address) => start("account", address.slice("account/".length))), start("herald", "h", { accounts }), start("fragile", "f"), ...spread.map(({ call }) => call)];
};

/**
 * A host with its own machines: it opens the journal, does everything on its list from the start (each start and each
 * event is idempotent, so what an earlier run did is answered as a duplicate), and says every receipt that came. One
 * at a time in a process.
 */
export const workBank = async ({ folder, plant, synchronous = "FULL", quickLease = false, largeTurns = false }: BankOptions, acknowledge: Acknowledge): Promise<void> => {
  const note = (what: string, subject: string, number: number) => appendFileSync(join(folder, "ledger.log"), `${what} ${subject} ${number} ${process.pid} ${Date.now()}\n`);

  host.carry = async (id) => {
    const activity = currentActivity();
    const attempt = activity?.attempt ?? 0;
    note("begin", activity?.address ?? "", attempt);
    await new Promise((resolve) => setTimeout(resolve, 15));
    // Every third parcel is dropped at first.
    if (attempt === 1 && Number(id.slice(1)) % 3 === 0) throw new Error("it was dropped");
    note("end", activity?.address ?? "", attempt);
    return { by: `attempt ${attempt}` };
  };

  /** Takes a while, as a call to somebody else does, and is owed until it ends. */
  const record = async ({ address, seq }: { readonly address: string; readonly seq: number }) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    note("record", address, seq);
  };
  const machines: ReadonlyArray<DurableMachine> = [
    { machine: account, actions: { record } },
    { machine: herald },
    { machine: parcel, actions: { record }, activities: { carry: { retry: { attemptsMax: 3, backoff: { kind: "fixed", baseMs: 25 } }, interruptionsMax: 20 } } },
    { machine: fragile, supervision: { strategy: "restart", restartsMax: 100 } },
  ];

  const engine = await openEngine({
    machines,
    journal: journalOf({ file: join(folder, "work.db"), synchronous }, plant),
    // Few messages a turn, so that a telling goes through the stored mailbox; a short lease, so that the log is moved often.
    limits: { ...(largeTurns ? {} : { turnMessagesMax: 4 }), ...(quickLease ? { heartbeatMs: 40, leaseMs: 1_000 } : {}) },
    log: (entry) => {
      if (entry.level === "error" && !entry.message.startsWith("a custom action failed")) console.error(entry.message, entry.data ?? "");
    },
  });
  const calls = list(engine, acknowledge);
  let next = 0;
  const caller = async () => {
    for (let call = calls[next++]; call !== undefined; call = calls[next++]) await call();
  };
  // What must come first: the accounts that are told.
  while (next < counts.accounts + 2) await (calls[next++] as Call)();
  await Promise.all(Array.from({ length: windowSize }, caller));
  for (let n = 1; n <= counts.parcels; n++) {
    const { address, value } = await engine.waitFor(`parcel/p${n}`, (view) => view.status !== "active", { timeout: "30 seconds" });
    acknowledge({ ack: "ended", address, value });
  }
  await engine.settled();
  await engine.close();
  acknowledge({ ack: "closed" });
};
