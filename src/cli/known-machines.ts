import * as Effect from "effect/Effect";
import { formOf, isMachine, sourcesOf } from "../actor/index.ts";
import type { Entry } from "../analysis/index.ts";
import { type ActorView, isDurable } from "../engine/index.ts";
import { entriesOfFiles } from "./machine-files.ts";
import type { Refused } from "./refused.ts";

/** Finds the machine that wrote an actor: among those of modules, and those that come with the package. */
export const knownMachines = (files: ReadonlyArray<string>): Effect.Effect<(view: Pick<ActorView, "hash">) => Entry | undefined, Refused> =>
  Effect.gen(function* () {
    const given = yield* entriesOfFiles(files);
    const own = Object.values(yield* Effect.promise(() => import("../../machines/index.ts"))).filter(isMachine);
    const byHash = new Map<string, Entry>();
    const add = (entry: Entry): void => {
      const machine = isDurable(entry) ? entry.machine : entry;
      const { hash } = formOf(machine);
      if (byHash.has(hash)) return;
      byHash.set(hash, entry);
      for (const { logic } of sourcesOf(machine).values()) if (isMachine(logic)) add(logic);
    };
    for (const entry of [...given, ...own]) add(entry);
    return ({ hash }) => byHash.get(hash);
  });
