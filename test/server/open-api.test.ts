import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, test } from "vitest";
import { docsPage, docsPolicy } from "../../src/server/docs-page.ts";
import * as errors from "../../src/server/errors.ts";
import { problemStatuses } from "../../src/server/problem.ts";
import { document } from "./conforming.ts";
import { stand } from "./stand.ts";

const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));

describe("server > document", () => {
  test("is OpenAPI 3.1 by a public validator", async () => {
    const validator = new Validator();
    expect(await validator.validate(JSON.parse(JSON.stringify(document)) as never)).toEqual({ valid: true });
    expect(validator.version).toBe("3.1");
  });

  test("is refused by that validator with a mistake in it", async () => {
    const broken = JSON.parse(JSON.stringify(document)) as { paths: Record<string, Record<string, { responses?: unknown }>> };
    delete broken.paths["/v1/actors"]?.get?.responses;
    broken.paths["v1/without-slash"] = {};
    expect((await new Validator().validate(broken as never)).valid).toBe(false);
  });

  test("tells of each operation what it is for, and what role it needs", () => {
    expect(operations.filter(({ operation }) => operation.summary === undefined).map(({ path }) => path)).toEqual([]);
    const roles = Object.fromEntries(operations.map(({ operation }) => [operation.operationId, operation["x-role"] ?? "none"]));
    expect(roles).toMatchObject({ readActor: "read", startActor: "operate", sendEvent: "operate", live: "none", ready: "none", metrics: "read" });
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  });

  test("knows the status of every error of the server", () => {
    for (const make of Object.values(errors)) {
      const { status } = new (make as unknown as new (fields: object, check: true) => { readonly status: number })({ problems: [], issues: [], allowed: [] }, true);
      expect(problemStatuses).toContain(status);
    }
  });

  test("is served, also as a page that needs no other place and no script", async () => {
    const { url } = await stand();
    expect(await (await fetch(`${url}/openapi.json`)).json()).toEqual(JSON.parse(JSON.stringify(document)));
    const page = await fetch(`${url}/docs`);
    const html = await page.text();
    expect(page.headers.get("content-security-policy")).toBe(docsPolicy);
    expect(docsPolicy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/);
    expect(html).toBe(docsPage(document));
    expect(html).not.toMatch(/<script|<img|<link|src=|url\(|@import|https?:/i);
    for (const { operation } of operations) expect(html).toContain(`id="${operation.operationId}"`);
  });
});
