/*
 * An HTTP receiver as a program that is never killed: `node receiver.js LOG`. It prints its port, and writes down what
 * it gets before it answers, one line each: what happened, the key, the lane, the id in the payload.
 *
 *   begin   a request was read
 *   effect  its key was new: what the entry asks for was done
 *   ended   it was answered
 *   cut     the sender was gone before it was answered
 *
 * By turns it is slow, answers 503, or does what it should and closes the connection without an answer.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const log = openSync(process.argv[2] as string, "a");
const known = new Set<string>();
let count = 0;

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (text: string) => {
    body += text;
  });
  request.on("error", () => {});
  request.on("end", () => {
    const key = String(request.headers["idempotency-key"]);
    const { id, lane } = JSON.parse(body) as { readonly id: string; readonly lane: string };
    const note = (what: string) => writeSync(log, `${what} ${key} ${lane} ${id}\n`);
    const number = ++count;
    note("begin");
    let isOver = false;
    response.on("close", () => {
      if (!isOver) note("cut");
    });
    const answer = () => {
      // A sender that is gone does not undo what it asked for; sometimes it came too late.
      if (response.destroyed && number % 2 === 0) return;
      const isUnwell = number % 15 === 0;
      if (!isUnwell && !known.has(key)) {
        known.add(key);
        note("effect");
      }
      isOver = true;
      if (response.destroyed) return;
      if (number % 23 === 0) return request.socket.destroy();
      note("ended");
      response.writeHead(isUnwell ? 503 : 200).end();
    };
    setTimeout(answer, (number % 5) * 5);
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  closeSync(log);
});
