import type { Address } from "../domain/address.ts";
import type { Event } from "../domain/event.ts";

/** Whom a message is for, as the machine named it. */
export type Target = { readonly kind: "self" } | { readonly kind: "parent" } | { readonly kind: "child"; readonly id: string } | { readonly kind: "address"; readonly address: Address };

/**
 * What a transition asks the engine to do, in order. A closed union: whatever XState can return is one of these,
 * and everything in it is plain data.
 */
export type Command =
  | { readonly type: "timer.set"; readonly id: string; readonly due: number; readonly token: number }
  | { readonly type: "timer.cancel"; readonly id: string }
  | { readonly type: "child.start"; readonly id: string; readonly src: string; readonly input: unknown; readonly token: number; readonly systemId?: string; readonly sync?: true }
  | { readonly type: "child.stop"; readonly id: string; readonly token: number }
  /** The parent is to see the snapshot of this actor as it is now. */
  | { readonly type: "sync" }
  /** `early`: the token of the child that it is for, where that child starts only later in the same step; it comes before what the child sends itself. */
  | { readonly type: "send"; readonly to: Target; readonly event: Event; readonly early?: number }
  | { readonly type: "emit"; readonly event: Event }
  | { readonly type: "act"; readonly action: string; readonly params: unknown }
  | { readonly type: "log"; readonly label: string | undefined; readonly value: unknown };
