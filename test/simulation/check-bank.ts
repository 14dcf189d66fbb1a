import type { Life } from "./life.ts";
import type { Stored } from "./store.ts";

interface Envelope {
  readonly event: { readonly type: string; readonly amount?: number };
}
const creditOf = (envelope: string): number => {
  const { event } = JSON.parse(envelope) as Envelope;
  return event.type === "CREDIT" ? (event.amount ?? 0) : 0;
};

/** Money is neither made nor lost: it is on accounts, under way, or in letters that nobody could be given. Returns what was lost with new letters. */
export const checkBank = (lives: ReadonlyMap<number, Life>, stored: Stored, lostBefore: number, violate: (what: string) => void): number => {
  const lost = stored.deadLetters.reduce((sum, { envelope }) => sum + creditOf(envelope), 0);
  let accounts = 0;
  let money = lost + lostBefore;
  for (const { machine, state } of lives.values()) {
    if (machine !== "account") continue;
    accounts++;
    money += (state.snapshot.context as { balance: number }).balance;
  }
  for (const { envelope } of stored.mail) money += creditOf(envelope);
  if (money !== accounts * 100) violate(`${accounts} accounts hold ${money} together with what is under way, it must be ${accounts * 100}`);
  return lost;
};
