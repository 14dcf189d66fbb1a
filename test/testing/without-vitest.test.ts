import { execFile } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { root } from "../docs/page.ts";

/** A program of somebody who has no Vitest: it moves an engine's clock. */
const program = `
import { register } from "node:module";
register("data:text/javascript," + encodeURIComponent('export const resolve = (name, context, next) => { if (/^@?vitest/.test(name)) throw new Error("there is no " + name); return next(name, context); }'));
const { testEngine } = await import(${JSON.stringify(pathToFileURL(join(root, "dist/src/testing/engine.js")).href)});
const { createMachine } = await import("xstate");
const egg = createMachine({ id: "egg", initial: "raw", states: { raw: { after: { 300000: "boiled" } }, boiled: {} } });
const engine = await testEngine({ machines: [egg] });
await engine.start(egg, "1");
await engine.advance("5 minutes");
console.log((await engine.snapshot("egg/1")).value);
await engine.end();
await import(${JSON.stringify(pathToFileURL(join(root, "dist/src/testing/index.js")).href)}).catch((error) => console.log(error.message));
`;

test("testing > the engine on virtual time needs no Vitest, and what registers tests does", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { cwd: root });
  expect(stdout).toBe("boiled\nthere is no vitest\n");
});
