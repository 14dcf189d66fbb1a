import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** Where the built page lies: beside this file when it is compiled, in `dist` when it is run from its source. */
const folder = (): string => {
  for (const place of ["./web/", "../../dist/src/inspector/web/"]) {
    const path = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(`${path}index.html`)) return path;
  }
  throw new Error("the page of the inspector is not built; run npm run build");
};

const kinds: Readonly<Record<string, string>> = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml" };

/** The page asks nobody but its own server, and runs nothing but what came with it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  // Positions of a chart are styles of its elements; there are no style sheets but the page's own.
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const safeHeaders: Readonly<Record<string, string>> = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

interface Asset {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly tag: string;
}

let loaded: Promise<ReadonlyMap<string, Asset>> | undefined;

const load = async (): Promise<ReadonlyMap<string, Asset>> => {
  const root = folder();
  const names = (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length).replace(/^\//, ""));
  return new Map(
    await Promise.all(
      names.map(async (name) => {
        const body = new Uint8Array(await readFile(`${root}${name}`));
        return [
          name,
          { body, type: kinds[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream", tag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"` },
        ] as const;
      }),
    ),
  );
};

/** A file of the page by its path below the inspector; nothing where there is none. Read once. */
export const assetResponse = async (path: string, request: Request): Promise<Response | undefined> => {
  loaded ??= load().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  const asset = (await loaded).get(path === "" ? "index.html" : path);
  if (asset === undefined) return undefined;
  const cache = path.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  const headers = { ...safeHeaders, "cache-control": cache, etag: asset.tag };
  if (request.headers.get("if-none-match") === asset.tag) return new Response(null, { status: 304, headers });
  return new Response(asset.body, { headers: { ...headers, "content-type": asset.type } });
};
