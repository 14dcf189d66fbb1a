/*
 * The host of bank-work.ts as a program: `node bank.js FOLDER [--plant NAME] [--synchronous MODE] [--quick-lease]
 * [--large-turns]`. It prints one JSON line per receipt, written only after the receipt came. Standard output is the
 * ack log of the checker.
 */
import { writeSync } from "node:fs";
import { workBank } from "./bank-work.ts";
import type { Plant } from "./planted.ts";

const [folder = ".", ...options] = process.argv.slice(2);
const option = (name: string): string | undefined => (options.includes(name) ? options[options.indexOf(name) + 1] : undefined);

await workBank(
  {
    folder,
    plant: option("--plant") as Plant | undefined,
    synchronous: (option("--synchronous") ?? "FULL") as "FULL",
    quickLease: options.includes("--quick-lease"),
    largeTurns: options.includes("--large-turns"),
  },
  (line) => writeSync(1, `${JSON.stringify(line)}\n`),
);
