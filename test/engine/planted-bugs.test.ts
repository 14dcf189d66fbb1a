import * as Effect from "effect/Effect";
import { describe, expect, test } from "vitest";
import type { Journal, Turn } from "../../src/journal/index.ts";
import * as rules from "./rules.ts";
import type { Plant, Rule } from "./rules.ts";

const sound: Plant = (journal) => journal;

/** A journal that stores something else than it was given. */
const storing =
  (change: (turn: Turn) => Turn): Plant =>
  (journal) => ({ ...journal, commit: (turn) => journal.commit(change(turn)) });

const turnedWrong = (turn: Turn): Turn => {
  const shift = <Row extends { readonly seq: number }>(row: Row): Row => (row.seq < 3 ? row : { ...row, seq: row.seq + 1 });
  return { ...turn, history: turn.history.map(shift), moved: turn.moved.map(shift) };
};

/** The answer comes first, the commit later. */
const acknowledgesFirst: Plant = (journal) => {
  let writing = Promise.resolve();
  const soon = async () => {
    for (let tick = 0; tick < 20; tick++) await new Promise(setImmediate);
  };
  return {
    ...journal,
    commit: (turn) =>
      Effect.sync(() => {
        writing = writing.then(soon).then(() => Effect.runPromise(Effect.ignore(journal.commit(turn))));
      }),
  };
};

/** A write that is refused because another engine has the journal goes through that engine's hands. */
const ignoresTheEpoch: Plant = (journal, store) => ({
  ...journal,
  commit: (turn) =>
    Effect.catchTag(journal.commit(turn), "JournalFenced", () =>
      Effect.promise(async () => {
        const handle: Journal = await store.connect();
        await Effect.runPromise(
          Effect.zipRight(handle.open({ id: "thief", pid: 1, host: "nowhere", now: Number.MAX_SAFE_INTEGER, leaseMs: 1, isAlive: () => false }), handle.commit(turn)) as Effect.Effect<void>,
        );
      }),
    ),
});

/** A parent that forgets which generation of its child it knows. */
const forgetsGenerations: Plant = (journal) => ({
  ...journal,
  actors: (addresses) => Effect.map(journal.actors(addresses), (rows) => rows.map((row) => ({ ...row, state: row.state.replace(/("src":"work","token":)\d+/, "$11") }))),
});

const planted: ReadonlyArray<readonly [rule: string, check: Rule, bug: string, plant: Plant, symptom: RegExp]> = [
  ["a receipt means stored", rules.receiptMeansStored, "it is acknowledged before the commit", acknowledgesFirst, /there is no actor/],
  ["a key counts once", rules.keysCountOnce, "keys are not stored", storing((turn) => ({ ...turn, keys: [] })), /duplicate: true/],
  ["a key counts once", rules.keysCountOnce, "keys are not looked up", (journal) => ({ ...journal, keys: () => Effect.succeed([]) }), /duplicate: true/],
  [
    "a key means one event",
    rules.keysMeanOneEvent,
    "what it was sent with is not stored",
    storing((turn) => ({ ...turn, keys: turn.keys.map((row) => ({ ...row, request: "" })) })),
    /resolved .*instead of rejecting/,
  ],
  ["deadlines survive a crash", rules.deadlinesSurvive, "wakes are not stored", storing((turn) => ({ ...turn, wakes: [] })), /value: 'late'/],
  [
    "deadlines survive a crash",
    rules.deadlinesSurvive,
    "wakes are stored late",
    storing((turn) => ({ ...turn, wakes: turn.wakes.map((wake) => ({ ...wake, due: wake.due === undefined ? undefined : wake.due + 60_000 })) })),
    /value: 'late'/,
  ],
  ["only the owner writes", rules.onlyTheOwnerWrites, "the epoch is not checked", ignoresTheEpoch, /instead of rejecting/],
  ["actions run at least once", rules.actionsRunAtLeastOnce, "what is owed is not stored", storing((turn) => ({ ...turn, effects: [] })), /to be 1/],
  ["mail survives a crash", rules.mailSurvives, "mail is not stored", storing((turn) => ({ ...turn, mail: [] })), /hits: 11/],
  ["mail is handled once", rules.mailSurvives, "mail is not struck", storing((turn) => ({ ...turn, mailTaken: [] })), /hits: 11/],
  ["stale completions are dropped", rules.staleCompletionsAreDropped, "generations are forgotten", forgetsGenerations, /value: 'working'/],
  ["history has no gaps", rules.historyLeadsToState, "a sequence number is left out", storing(turnedWrong), /entry 3 is missing/],
  [
    "history leads to the state",
    rules.historyLeadsToState,
    "an ignored event is not written down",
    storing((turn) => ({ ...turn, history: turn.history.filter(({ outcome }) => outcome !== "ignored") })),
    /entry 3 is missing/,
  ],
  [
    "history leads to the state",
    rules.historyLeadsToState,
    "the state is changed on its way",
    storing((turn) => ({ ...turn, moved: turn.moved.map((row) => ({ ...row, state: row.state.replace('"count":1', '"count":7') })) })),
    /not the one to which its history leads/,
  ],
  ["history leads to the state", rules.historyLeadsToState, "the state is not written", storing((turn) => ({ ...turn, moved: [] })), /not the one to which its history leads/],
  [
    "children are stored with their parent",
    rules.childrenAreStoredWithTheirParent,
    "the activity's row is left out",
    storing((turn) => ({
      ...turn,
      created: turn.created.filter(({ machine }) => machine !== "activity"),
      history: turn.history.filter(({ actor }) => !turn.created.some(({ id, machine }) => id === actor && machine === "activity")),
    })),
    /length of 2 but got 1/,
  ],
  [
    "doubt is never guessed",
    rules.doubtIsNeverGuessed,
    "a failed commit is taken for one that stored nothing",
    (journal) => ({ ...journal, reopen: Effect.map(journal.reopen, (counters) => ({ ...counters, history: 0 })) }),
    /expected 1 to be \+0/,
  ],
  ["failures are kept", rules.failuresAreKept, "dead letters are not stored", storing((turn) => ({ ...turn, deadLetters: [] })), /length of 1 but got \+0/],
];

describe("engine > planted bugs", () => {
  for (const rule of new Set(planted.map(([, check]) => check))) {
    const [name] = planted.find(([, check]) => check === rule) ?? [""];
    test(`${name}: the rule holds over a sound journal`, () => rule(sound));
  }
  for (const [name, check, bug, plant, symptom] of planted) {
    test(`${name}: the check goes red when ${bug}`, async () => {
      await expect(check(plant)).rejects.toThrow(symptom);
    });
  }
});
