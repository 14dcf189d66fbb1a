import { afterAll } from "vitest";
import { replayed } from "../src/testing/replayed.ts";

/*
 * A setup file: says of each file of tests how many histories its engines and worlds replayed at their ends. See
 * `replayed-reporter.ts`.
 */
const before = { ...replayed };

afterAll((file) => {
  (file.meta as { replayed?: typeof replayed }).replayed = { histories: replayed.histories - before.histories, entries: replayed.entries - before.entries };
});
