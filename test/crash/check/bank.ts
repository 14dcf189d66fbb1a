import type { ActivityContext } from "../../../machines/activity.ts";
import type { Life } from "./fold.ts";
import { groupBy, latest, type Rule, type Scene } from "./scene.ts";

const livesOf = (scene: Scene, machine: string): ReadonlyArray<Life> => scene.lives.filter((life) => life.row.machine === machine);
const idOf = (event: string): string | undefined => (JSON.parse(event) as { id?: string }).id;

/** The entries of a life that ask for the custom action `record`. */
const asking = (life: Life): ReadonlyArray<number> => {
  if (life.row.machine === "account") return life.moments.filter(({ entry }) => entry.type === "ADD" || entry.type === "NEWS").map(({ entry }) => entry.seq);
  const delivered = life.moments.find(({ state }) => state.snapshot.value === "delivered");
  return delivered === undefined ? [] : [delivered.entry.seq];
};

/** What holds for the machines of `bank-machines.ts`. */
export const bank: ReadonlyArray<Rule> = [
  {
    name: "an event with a key takes effect once",
    check: (scene, violate) => {
      for (const life of scene.lives) {
        const events = groupBy(
          life.moments.map(({ entry }) => idOf(entry.event)).filter((id) => id !== undefined),
          (id) => id,
        );
        for (const [id, all] of events) if (all.length > 1) violate(`${life.row.address} took "${id}" ${all.length} times`);
      }
    },
  },
  {
    name: "a message to many reaches each of them, once it was stored",
    check: (scene, violate) => {
      const underWay = new Set(scene.evidence.mail.map(({ envelope }) => JSON.parse(envelope) as { to: string; event: { id?: string } }).map(({ to, event }) => `${to} ${event.id}`));
      const accounts = livesOf(scene, "account");
      for (const herald of livesOf(scene, "herald")) {
        for (const told of herald.moments.filter(({ entry }) => entry.type === "TELL").map(({ entry }) => idOf(entry.event))) {
          for (const account of accounts) {
            const isThere = account.moments.some(({ entry }) => entry.type === "NEWS" && idOf(entry.event) === told);
            if (!isThere && !underWay.has(`${account.address} ${told}`)) violate(`"${told}" was told, but ${account.address} has not heard it and it is not under way`);
          }
        }
      }
    },
  },
  {
    name: "what failed is among the dead letters, once",
    check: ({ evidence }, violate) => {
      const failed = evidence.history.filter(({ outcome }) => outcome === "failed").length;
      if (failed !== evidence.deadLetters.length)
        violate(
          `${failed} events failed, ${evidence.deadLetters.length} letters are dead: ${evidence.deadLetters
            .map(({ envelope, error }) => envelope + error)
            .join(" ")
            .slice(0, 500)}`,
        );
    },
  },
];

/** What the host did for them, held against what the journal says of it. */
export const carriedOut: ReadonlyArray<Rule> = [
  {
    name: "a custom action is owed until it was carried out, and carried out once per process",
    check: (scene, violate) => {
      const { effects, ledger } = scene.evidence;
      const done = ledger.filter(({ what }) => what === "record");
      const keys = groupBy(done, ({ subject, number }) => `${subject} ${number}`);
      const asked = new Set<string>();
      for (const life of [...livesOf(scene, "account"), ...livesOf(scene, "parcel")]) {
        for (const seq of asking(life)) {
          asked.add(`${life.address} ${seq}`);
          const isOwed = effects.some((effect) => effect.actor === life.row.id && effect.seq === seq);
          if (!isOwed && !keys.has(`${life.address} ${seq}`)) violate(`${life.address}, entry ${seq}: the action was struck off and never carried out`);
        }
      }
      for (const [key, lines] of keys) {
        if (!asked.has(key)) violate(`the action of ${key} was carried out, but nothing asks for it`);
        const pids = lines.map(({ pid }) => pid);
        if (new Set(pids).size < pids.length) violate(`the action of ${key} was carried out ${pids.length} times by the processes ${pids.join(", ")}`);
      }
    },
  },
  {
    name: "an activity's attempt runs at most once, after it was stored, and never after its success",
    check: (scene, violate) => {
      const begun = groupBy(
        scene.evidence.ledger.filter(({ what, subject }) => what === "begin" && subject !== ""),
        ({ subject }) => subject,
      );
      for (const [address, lines] of begun) {
        const state = latest<ActivityContext>(scene.byAddress.get(address)?.at(-1));
        const attempts = lines.map(({ number }) => number);
        for (const attempt of new Set(attempts)) if (attempts.filter((other) => other === attempt).length > 1) violate(`${address}: attempt ${attempt} ran more than once`);
        // Also after its end: the attempt that succeeded is the last that is counted.
        if (Math.max(...attempts) > (state?.context.attempt ?? 0)) violate(`${address}: attempt ${Math.max(...attempts)} ran, ${state?.context.attempt ?? 0} are stored`);
      }
      for (const life of livesOf(scene, "activity")) {
        const { context, value } = latest<ActivityContext>(life) ?? {};
        if (context === undefined) continue;
        if (context.attempt - context.interruptions > context.retry.attemptsMax) violate(`${life.row.address}: ${context.attempt} attempts with ${context.interruptions} interruptions`);
        if (value === "succeeded" && !scene.evidence.ledger.some(({ what, subject, number }) => what === "end" && subject === life.address && number === context.attempt))
          violate(`${life.row.address} succeeded without coming to its end`);
      }
    },
  },
];
