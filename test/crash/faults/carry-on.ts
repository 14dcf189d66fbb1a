/*
 * Takes up what killed processes of the bank left, one folder per line on standard input, does all of its work to the
 * end, and answers each with one line: it is started once for a thousand crashes.
 */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { workBank } from "../bank-work.ts";

export interface CarryOn {
  readonly folder: string;
}
export interface CarriedOn {
  /** Why it did not come to its end. */
  readonly error?: string;
}

const carryOn = async ({ folder }: CarryOn): Promise<CarriedOn> => {
  try {
    await workBank({ folder, quickLease: true }, (line) => appendFileSync(join(folder, "acks.log"), `${JSON.stringify(line)}\n`));
    return {};
  } catch (error) {
    return { error: String((error as Error).stack) };
  }
};

for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${JSON.stringify(await carryOn(JSON.parse(line) as CarryOn))}\n`);
