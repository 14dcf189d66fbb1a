/*
 * A stand-in for an agent: carries out the steps of its work, one after the other, and remembers in a file how far it
 * came. It speaks JSON lines. It is told { begin: text } or { resume: session, answer }, and says
 *
 *   { session }            how it can be found again
 *   { usage }              what this run has used so far
 *   { question }           what it can't go on without; its last word
 *   { outcome, text }      its end; the receipt is in the text
 *   { gone: true }         it was to go on with a session that it does not know
 *
 * Usage: node agent.mjs FOLDER
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

const folder = process.argv[2];
const say = (line) => new Promise((resolve) => process.stdout.write(`${JSON.stringify(line)}\n`, resolve));
/** Its last word. */
const leave = async (line) => {
  await say(line);
  process.exit(0);
};

const lines = createInterface({ input: process.stdin });
// Whoever asked for the work is gone: another one will ask again.
lines.once("close", () => process.exit(1));
lines.once("line", async (line) => {
  const { begin, resume, answer } = JSON.parse(line);
  const session = resume ?? `session-${process.pid}-${Date.now()}`;
  const file = join(folder, `${session}.json`);
  if (resume !== undefined && !existsSync(file)) return leave({ gone: true });
  const known = resume === undefined ? { text: begin, done: 0 } : JSON.parse(readFileSync(file, "utf8"));
  const remember = () => writeFileSync(file, JSON.stringify(known));
  remember();
  await say({ session });

  const task = /"task_id": "([^"]+)"/.exec(known.text)?.[1];
  const steps = known.text.split("\n[Result contract]")[0].trim().split("\n");
  let costUsd = 0;
  for (; known.done < steps.length; known.done++, remember()) {
    const [word, ...rest] = steps[known.done].split(" ");
    const what = rest.join(" ");
    if (word === "write") appendFileSync(join(folder, "work.log"), `${what.replace("ANSWER", known.answer ?? "")}\n`);
    else if (word === "use") await say({ usage: { costUsd: (costUsd += Number(what)), turns: 1 } });
    else if (word === "hold") while (!existsSync(join(folder, what))) await new Promise((resolve) => setTimeout(resolve, 20));
    else if (word === "crash") {
      if (!existsSync(join(folder, what))) {
        writeFileSync(join(folder, what), "");
        process.exit(3);
      }
    } else if (word === "ask") {
      if (answer === undefined || answer === null) return leave({ question: what });
      known.answer = answer;
    } else if (word === "done") {
      const receipt = { task_id: task, status: "completed", verification: what === "" ? [] : [{ kind: "file", value: what }], summary: "All steps are done." };
      return leave({ outcome: "completed", text: `Here is my receipt.\n\`\`\`json\n${JSON.stringify(receipt)}\n\`\`\`` });
    }
  }
  await leave({ outcome: "completed", text: "I did what I could." });
});
