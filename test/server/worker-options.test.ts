import { describe, expect, test } from "vitest";
import { InvalidWorkerOptions, type RemoteWorkerOptions, startWorker } from "../../src/worker/index.ts";

const sound = { url: "http://127.0.0.1:8080", id: "w1", kinds: { resize: () => {} } };

/** What is wrong with options, in words; it must be found before a connection is made. */
const problemsOf = (options: unknown): ReadonlyArray<string> => {
  try {
    startWorker(options as RemoteWorkerOptions).close();
  } catch (error) {
    if (error instanceof InvalidWorkerOptions) return error.problems;
    throw error;
  }
  throw new Error("a worker began");
};

describe("worker > options", () => {
  test.each([
    ["a url that is none", { ...sound, url: "nope" }, ['url must be that of the server, such as "http://127.0.0.1:8080", got "nope"']],
    ["a url of another protocol", { ...sound, url: "ftp://host" }, ['url must be that of the server, such as "http://127.0.0.1:8080", got "ftp://host"']],
    ["a misspelled name", { ...sound, slot: 2 }, ['there is no slot (did you mean "slots"?)']],
    ["no slots", { ...sound, slots: 0 }, ["slots must be a whole number from 1, got the number 0"]],
    ["an id with a slash", { ...sound, id: "a/b" }, ["id: an actor's id has no slash, no control characters and no half of a surrogate pair"]],
    ["no kinds", { ...sound, kinds: {} }, ["kinds must be an object with a function for each kind of task, got an object"]],
    ["a kind without a function", { ...sound, kinds: { resize: { run: () => {} } } }, ["kinds.resize must be a function, got an object"]],
    ["another way to connect", { ...sound, over: "carrier" }, ['over must be "webSocket" or "polls", got "carrier"']],
    ["nothing", undefined, ["it must be an object, got nothing"]],
  ])("%s", (_name, options, expected) => {
    expect(problemsOf(options)).toEqual(expected);
  });

  test("all that is wrong is said at once, by its tag", () => {
    expect(problemsOf({})).toHaveLength(3);
    expect(() => startWorker({} as RemoteWorkerOptions)).toThrow(expect.objectContaining({ _tag: "InvalidWorkerOptions", code: "invalid_worker_options" }));
  });
});
