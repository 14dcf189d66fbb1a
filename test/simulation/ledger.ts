/** What was said and done outside of the engine: it survives every crash, as the world does. */
export class Ledger {
  /** Custom actions that were begun, by `actor row id/seq/action`. */
  readonly actions = new Set<string>();
  /** Calls of clients that were told that nothing is stored, with what they were told. */
  readonly refused = new Map<string, string>();
  /** Attempts of activities that were begun, by `actor row id/attempt`. */
  readonly attempts = new Set<string>();
  /** Every call that was stored, with where. */
  readonly stored = new Map<string, string>();
  /** Keys of the entries that the receiver of the outbox got. */
  readonly received = new Set<string>();
  /** Tasks whose submission was acknowledged. */
  readonly tasks = new Set<string>();
}
