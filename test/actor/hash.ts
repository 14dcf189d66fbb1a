// Run as a process of its own: prints the hashes of the fixture machines.
import { define } from "../../src/actor/index.ts";
import { fixtures } from "./machines.ts";

console.log(JSON.stringify(Object.fromEntries(fixtures.map(({ machine }) => [machine.id, define(machine).hash]))));
