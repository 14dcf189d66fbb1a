import type { TaskLine } from "./task-line.ts";

/** One line of the sample, and how it must end. */
export interface SampleTask {
  readonly line: TaskLine;
  readonly endsAs: "done" | "dead";
  readonly attemptsMin: number;
}

export const failsTwice = "fails-twice";
export const neverAnswers = "never-answers";
export const needsAnother = "needs-another";

/** Real work: every file of an installed package is checked by Node. And three lines that show what the engine does. */
export const sampleTasks = (node: string, packageFolder: string, files: ReadonlyArray<string>): ReadonlyArray<SampleTask> => [
  {
    line: {
      id: failsTwice,
      command: [
        node,
        "-e",
        "const attempt = process.env.TASKWRIGHT_ATTEMPT; if (attempt < 3) { console.error(`attempt ${attempt} fails on purpose`); process.exit(1); } console.log(`attempt ${attempt} works`);",
      ],
      retries: 3,
      priority: 1,
    },
    endsAs: "done",
    attemptsMin: 3,
  },
  {
    line: { id: neverAnswers, command: [node, "-e", 'console.error("waiting for an answer that never comes"); setInterval(() => {}, 1000);'], timeout: "1s", retries: 1, priority: 1 },
    endsAs: "dead",
    attemptsMin: 2,
  },
  { line: { id: needsAnother, command: [node, "-e", `console.log("${failsTwice} is done, so this could start");`], needs: [failsTwice], priority: 1 }, endsAs: "done", attemptsMin: 1 },
  ...files.map((file): SampleTask => ({ line: { id: `check:${file.replaceAll("/", ":")}`, command: [node, "--check", file], cwd: packageFolder }, endsAs: "done", attemptsMin: 1 })),
];

export const sampleText = (tasks: ReadonlyArray<SampleTask>): string => tasks.map(({ line }) => `${JSON.stringify(line)}\n`).join("");
