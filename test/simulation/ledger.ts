/** What was said and done outside of the engine: it survives every crash, as the world does. */
export class Ledger {
  /** The keys with which custom actions were begun, by `address#entry#action`. */
  readonly actions = new Map<string, Set<string>>();
  /** Calls of clients that were told that nothing is stored, with what they were told. */
  readonly refused = new Map<string, string>();
  /** Attempts of activities that were begun, by `actor row id/attempt`. */
  readonly attempts = new Set<string>();
  /** Every call that was stored, with where. */
  readonly stored = new Map<string, string>();
  /** What the receiver of the outbox got, by the key of the entry. */
  readonly received = new Map<string, string>();
  /** Tasks whose submission was acknowledged. */
  readonly tasks = new Set<string>();
  /** Messages that the broker has said it took. */
  readonly messages = new Set<string>();
  /** Runs of schedules that somebody was promised. */
  readonly triggered = new Set<string>();
  /** Processes of endpoints that have ended. */
  readonly deadOwners = new Set<string>();
}
