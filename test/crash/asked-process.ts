import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A program that answers each line of JSON with one, in order: it is started once for many questions. */
export interface AskedProcess<Question, Answer> {
  readonly ask: (question: Question) => Promise<Answer>;
  readonly end: () => Promise<void>;
}

export const openAsked = <Question, Answer>(program: ReadonlyArray<string>): AskedProcess<Question, Answer> => {
  const child = spawn(process.execPath, program, { stdio: ["pipe", "pipe", "inherit"] });
  const waiting: Array<{ readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void }> = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.resolve(JSON.parse(line) as Answer));
  const closed = new Promise<void>((resolve) => {
    child.once("close", () => {
      for (const { reject } of waiting.splice(0)) reject(new Error(`${program[0]} ended`));
      resolve();
    });
  });
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(question)}\n`);
      }),
    end: () => {
      child.stdin.end();
      return closed;
    },
  };
};
