import type { CreatedActor, MovedActor, Turn as StoredTurn } from "../journal/index.ts";
import type { Resident } from "./resident.ts";
import type { Turn } from "./turn.ts";

/** What the journal must store of a turn. Called once, when nothing is left to deliver. */
export const rowsOf = (turn: Turn, effectsDone: ReadonlyArray<number>): StoredTurn => {
  const created: Array<CreatedActor> = [];
  const moved: Array<MovedActor> = [];
  const wakes: Array<Wake> = [...turn.asleep];
  for (const actor of turn.woken) if (actor.turn !== turn.number) setWake(actor, wakes);
  for (const actor of turn.touched) {
    const { id, seq, at, json: state, status, hash } = actor;
    if (actor.created) {
      const { parentId, createdAt, token, replaces } = actor;
      const address = actor.succeeded ? `${actor.address}~${id}` : actor.address;
      created.push({ id, address, parent: parentId, createdAt, machine: actor.registered.definition.id, hash, status, seq, at, state, token, replaces });
    } else if (status === actor.storedStatus && hash === actor.storedHash) moved.push({ id, seq, at, state });
    else moved.push({ id, seq, at, state, changed: { status, hash, token: actor.token } });
    setWake(actor, wakes);
  }
  return {
    created,
    moved,
    history: turn.history,
    keys: turn.keys,
    wakes,
    mail: turn.mail,
    mailTaken: turn.mailTaken,
    effects: turn.effectRows,
    effectsDone,
    deadLetters: turn.deadLetters,
    entries: turn.entryWrites,
    names: turn.nameRows,
    deadLettersTaken: turn.lettersTaken?.map(({ id }) => id),
    machines: [...turn.charts.values()],
  };
};

interface Wake {
  readonly actor: number;
  readonly due: number | undefined;
}

const setWake = (actor: Resident, wakes: Array<Wake>): void => {
  const wake = actor.nextWake();
  if (wake !== undefined) wakes.push({ actor: actor.id, due: wake.due });
};

/** The turn is stored: what it touched now equals its rows. Returns the earliest wake that was set. */
export const markStored = (turn: Turn, wakes: StoredTurn["wakes"]): number => {
  const due = new Map(wakes.map((wake) => [wake.actor, wake.due]));
  let earliest = Number.POSITIVE_INFINITY;
  const settle = (actor: Resident) => {
    if (due.has(actor.id)) actor.wake = due.get(actor.id);
    if (actor.wake !== undefined && actor.wake < earliest) earliest = actor.wake;
  };
  for (const actor of turn.woken) {
    actor.woken = false;
    settle(actor);
  }
  for (const actor of turn.touched) {
    actor.created = false;
    actor.replaces = false;
    actor.storedStatus = actor.status;
    actor.storedHash = actor.hash;
    settle(actor);
  }
  return earliest;
};
