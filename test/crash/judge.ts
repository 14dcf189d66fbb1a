import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Answer, Question } from "./check/judgement.ts";

/** The checker's process, asked one question at a time. */
export interface Judge {
  readonly ask: (question: Question) => Promise<Answer>;
  readonly end: () => Promise<void>;
}

export const openJudge = (dist: string): Judge => {
  const child = spawn(process.execPath, [join(dist, "test/crash/checker.js")], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting: Array<{ readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void }> = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.resolve(JSON.parse(line) as Answer));
  const closed = new Promise<void>((resolve) => {
    child.once("close", () => {
      for (const { reject } of waiting.splice(0)) reject(new Error("the checker ended"));
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
