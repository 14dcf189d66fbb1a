import { describe, expect, it } from "vitest";
import { parseTaskFile } from "../../src/cli/task-file.ts";

const parse = (...lines: ReadonlyArray<string>) => parseTaskFile(lines.join("\n"), "/work");
const problems = (...lines: ReadonlyArray<string>) => parse(...lines).problems.map(({ line, message }) => `${line}: ${message}`);

describe("cli > task file", () => {
  it("reads every key, with times in milliseconds and folders from the folder of the file", () => {
    const { tasks, problems, lineOf } = parse(
      "\uFEFF",
      '{"id":"a","command":["node","--check","x.js"],"cwd":"sub","env":{"A":"1"},"retries":2,"timeout":"1.5m","needs":["b","b"],"priority":-1}\r',
      "   ",
      '{"id":"b","command":"ls | wc -l","timeout":0.25,"cwd":"/tmp"}',
    );
    expect(problems).toEqual([]);
    expect(tasks).toEqual([
      {
        id: "a",
        kind: "command",
        input: { command: { argv: ["node", "--check", "x.js"] }, cwd: "/work/sub", env: { A: "1" } },
        retry: { attemptsMax: 3 },
        executionTimeoutMs: 90_000,
        needs: ["b"],
        priority: -1,
      },
      { id: "b", kind: "command", input: { command: { shell: "ls | wc -l" }, cwd: "/tmp", env: {} }, executionTimeoutMs: 250 },
    ]);
    expect([...lineOf]).toEqual([
      ["a", 2],
      ["b", 4],
    ]);
  });

  it("takes the durations 500ms, 30s, 2m, 1h and 1d, and nothing that is not more than zero", () => {
    const timeoutOf = (timeout: unknown) => parse(JSON.stringify({ id: "a", command: "x", timeout })).tasks[0]?.executionTimeoutMs;
    expect(["500ms", "30s", "2m", "1h", "1d", 2].map(timeoutOf)).toEqual([500, 30_000, 120_000, 3_600_000, 86_400_000, 2_000]);
    expect(["0s", "-1s", "soon", "", "1e3", 0, -1, 1e300].map(timeoutOf)).toEqual(Array(8).fill(undefined));
  });

  it("tells everything that is wrong at once, with the line of each", () => {
    expect(
      problems(
        '{"id":"a","command":"echo","needs":["zz","b"]}',
        "not json",
        '{"id":"a","command":["x"]}',
        '{"id":"b","command":[],"needs":["c"]}',
        '{"id":"c","command":"x","needs":["b"],"bogus":1}',
        '{"id":"d","command":"x","retries":-1,"timeout":"soon","priority":1.5,"env":{"A":1},"cwd":"","needs":"a"}',
        '{"command":"x"}',
        "[1]",
        "null",
        '{"id":"x/y","command":7}',
        '{"id":"e","command":["a\\u0000b"],"env":{"A=B":"1"},"comand":"x"}',
        '{"id":"f","command":" ","needs":["f"]}',
      ).map((problem) => problem.replace(/(this is no JSON): .*/, "$1")),
    ).toEqual([
      '1: needs "zz", which is the id of no line',
      "2: this is no JSON",
      '3: the id "a" is already used on line 1',
      '4: "command" must be a line for the shell ("ls -l") or a list of texts (["ls", "-l"]), not empty',
      "4: the tasks need each other in a circle: b → c → b",
      '5: the key "bogus" is unknown (known: id, command, cwd, env, kind, input, key, retries, timeout, needs, whenNeedFails, priority, queue, concurrencyKey, runAt, deadline, queueTimeout, heartbeatTimeout, answerTimeout, budget, verification, slots, folder, tags, attributes)',
      '6: "cwd" must be the path of a folder',
      '6: "env" must be an object of texts ({"NAME": "value"})',
      '6: "retries" must be a whole number, 0 or more',
      '6: "timeout" must be a positive number of seconds or a duration text ("500ms", "30s", "2m", "1h")',
      '6: "needs" must be a list of ids (["a", "b"])',
      '6: "priority" must be a whole number',
      '7: "id" is missing',
      '8: a task must be an object like {"id": "a", "command": ["ls"]}',
      '9: a task must be an object like {"id": "a", "command": ["ls"]}',
      '10: "id" must be a text of 1 to 200 characters without a slash or control characters',
      '10: "command" must be a line for the shell ("ls -l") or a list of texts (["ls", "-l"]), not empty',
      '11: the key "comand" is unknown (did you mean "command"?)',
      '11: "command" must be a line for the shell ("ls -l") or a list of texts (["ls", "-l"]), not empty',
      '11: "env" must be an object of texts ({"NAME": "value"})',
      '12: "command" must be a line for the shell ("ls -l") or a list of texts (["ls", "-l"]), not empty',
      '12: "f" needs itself',
    ]);
  });

  it("reads keys, budgets and work of a kind, and says what does not go together", () => {
    expect(
      parse(
        '{"id":"a","kind":"letter","input":{"to":"Ada"},"key":"ada","budget":{"wall":"10m","costUsd":0.5,"turns":20},"queue":"mail","tags":["urgent"],"runAt":"2030-01-31T12:00:00Z","answerTimeout":"1h"}',
      ).tasks,
    ).toEqual([
      {
        id: "a",
        kind: "letter",
        input: { to: "Ada" },
        key: "ada",
        budget: { wallMs: 600_000, costUsd: 0.5, turns: 20 },
        queue: "mail",
        tags: ["urgent"],
        runAt: Date.UTC(2030, 0, 31, 12),
        answerTimeoutMs: 3_600_000,
      },
    ]);
    expect(
      problems(
        '{"id":"a","kind":"letter","command":"x"}',
        '{"id":"b","command":"x","input":1,"key":"k"}',
        '{"id":"c","command":"x","key":"k"}',
        '{"id":"d","command":"x","needs":["c"],"budget":{"costUsd":-1}}',
        '{"id":"e","command":"x","key":"k","budget":{"cost":1},"runAt":"soon","whenNeedFails":"wait"}',
        '{"id":"f","command":"x","key":"k","needs":["c"]}',
      ),
    ).toEqual([
      '1: "command" is for commands; a task of a "kind" has "input"',
      '2: "input" goes with "kind"; a command has "command"',
      '4: "budget" must be an object like {"wall": "10m", "costUsd": 0.5, "tokens": 10000, "turns": 20}',
      '5: "whenNeedFails" must be "cancel" or "ignore"',
      '5: "runAt" must be a moment like "2030-01-31T12:00:00Z"',
      '5: "budget" must be an object like {"wall": "10m", "costUsd": 0.5, "tokens": 10000, "turns": 20}',
      '6: the key "k" is already used on line 3',
      '6: needs "c", which has a key: it may run under another id; leave its key out',
    ]);
  });

  it("reads verification, slots, a folder, limits and attributes, and refuses what a command can't have", () => {
    expect(
      parse(
        '{"id":"a","kind":"letter","verification":{"when":"receipt","grace":"2m"},"slots":3,"folder":true,"deadline":"2030-01-31T12:00:00Z","heartbeatTimeout":"5s","attributes":{"customer":"ada","urgent":true}}',
        '{"id":"b","command":"x","verification":"always"}',
      ).tasks,
    ).toEqual([
      {
        id: "a",
        kind: "letter",
        verification: { when: "receipt", graceMs: 120_000 },
        slots: 3,
        folder: true,
        deadline: Date.UTC(2030, 0, 31, 12),
        heartbeatTimeoutMs: 5_000,
        attributes: { customer: "ada", urgent: true },
      },
      { id: "b", kind: "command", input: { command: { shell: "x" }, cwd: "/work", env: {} }, verification: { when: "always" } },
    ]);
    expect(
      problems('{"id":"a","command":"x","slots":2,"folder":true}', '{"id":"b","kind":"x","slots":11,"folder":"yes","verification":"sometimes","attributes":{"a":null},"deadline":"soon"}'),
    ).toEqual([
      '1: "slots" goes with "kind"; a command has one slot, and "cwd"',
      '1: "folder" goes with "kind"; a command has one slot, and "cwd"',
      '2: "deadline" must be a moment like "2030-01-31T12:00:00Z"',
      '2: "verification" must be "never", "always", "receipt", or an object like {"when": "receipt", "grace": "2m"}',
      '2: "slots" must be a whole number from 1 to 10',
      '2: "folder" must be true or false',
      '2: "attributes" must be an object of texts, numbers and truth values ({"customer": "ada"})',
    ]);
  });

  it("refuses __proto__ as an id and as a variable", () => {
    expect(problems('{"id":"__proto__","command":"x"}', '{"id":"a","command":"x","env":{"__proto__":"1"}}').length).toBe(2);
  });

  it("does not complain of a need whose own line is broken", () => {
    expect(problems('{"id":"a","command":"x","needs":["b"]}', '{"id":"b","command":"x"').length).toBe(1);
  });

  it("refuses a line beyond the engine's limit for one message", () => {
    expect(problems(JSON.stringify({ id: "a", command: "x", env: { A: "y".repeat(1024 * 1024) } }))).toEqual(["1: has more than 1048576 bytes; put the data into a file"]);
  });

  it("refuses a file without a task", () => {
    expect(problems("", "  ")).toEqual(['1: there is no task; write lines like {"id": "a", "command": ["ls"]}']);
  });
});
