import type * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import { describe } from "vitest";
import type { JournalError, Journal, Turn } from "../journal/index.ts";
import { commitConformance } from "./journal-conformance/commit.ts";
import { letterConformance } from "./journal-conformance/letters.ts";
import { entryConformance } from "./journal-conformance/entries.ts";
import { ownershipConformance } from "./journal-conformance/ownership.ts";
import { readConformance } from "./journal-conformance/reads.ts";
import { retentionConformance } from "./journal-conformance/retention.ts";
import { readerConformance } from "./journal-conformance/readers.ts";

/**
 * Registers the tests that every implementation of `Journal` must pass. They use nothing but the interface, so that
 * a store written by somebody else can be held to it: `journalConformance("my store", { make })`.
 */
export const journalConformance = (name: string, harness: JournalHarness): void => {
  describe(`journal (${name})`, () => {
    commitConformance(harness);
    ownershipConformance(harness);
    entryConformance(harness);
    readConformance(harness);
    letterConformance(harness);
    retentionConformance(harness);
    readerConformance(harness);
  });
};

export interface JournalHarness {
  /** A new, empty store for one test. It is gone when the scope closes. */
  readonly make: Effect.Effect<JournalUnderTest, never, Scope.Scope>;
}

export interface JournalUnderTest {
  /**
   * A handle of its own on the store, as another process would have one. Closing its scope is a crash: nothing is
   * released.
   */
  readonly connect: (options?: ConnectOptions) => Effect.Effect<Journal, JournalError, Scope.Scope>;
}

export interface ConnectOptions {
  readonly reader?: boolean;
  readonly faults?: CommitFaults;
}

/** An error that is returned fails the commit, before anything or after everything was stored. */
export interface CommitFaults {
  beforeCommit?: ((turn: Turn) => JournalError | undefined) | undefined;
  afterCommit?: ((turn: Turn) => JournalError | undefined) | undefined;
}
