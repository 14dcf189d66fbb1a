import type { AnyActorRef } from "xstate";
import type { Address } from "./address.ts";

/** A reference to any actor of the engine by its address, for `sendTo(actorRef("order/42"), event)` in a machine. Plain data. */
export const actorRef = (address: Address): AnyActorRef => ({ xstate$$type: 1, id: address, address }) as unknown as AnyActorRef;
