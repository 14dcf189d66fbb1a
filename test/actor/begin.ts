import { type ActorState, type Command, type Definition, decode, encode, type Step, start } from "../../src/actor/index.ts";

/** The moment at which the tests begin. */
export const at = 1_000_000;

/** A promise that never settles. */
export const pending = () => new Promise<never>(() => {});

/** The actor as it comes back from the store: what holds in memory must hold for it too. */
export const stored = (definition: Definition, state: ActorState): ActorState => decode(definition, state.self.address, state.self._parent?.address, encode(state));

export const begin = (definition: Definition, input?: unknown): Step => start(definition, `${definition.id}/1`, undefined, input, at);

export const types = (commands: ReadonlyArray<Command>): ReadonlyArray<string> => commands.map((command) => command.type);
