import { createHash } from "node:crypto";
import type { Caller } from "./caller.ts";
import { cookieName } from "./gate.ts";

const style =
  "body{font:15px/1.5 system-ui,sans-serif;max-width:26rem;margin:15vh auto;padding:0 1rem}input,button{font:inherit;padding:.4rem .6rem}input{width:100%;box-sizing:border-box;margin:.4rem 0}";
const policy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

const page = (basePath: string, message: string, status: number): Response =>
  new Response(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Taskwright</title><style>${style}</style></head><body><h1>Taskwright</h1><p>${message}</p><form method="post" action="${basePath}/session"><label>Token <input type="password" name="token" autocomplete="off" required></label><button>Open</button></form></body></html>\n`,
    { status, headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": policy, "cache-control": "no-store" } },
  );

const formBytesMax = 1_000;

/** A browser can't send a header with a page: it gives its token once, and has a cookie from then on. */
export const session = {
  form: (basePath: string): Response => page(basePath, "This server wants a token.", 401),
  answer: async (
    request: Request,
    { basePath, isSecure, callerOf }: { readonly basePath: string; readonly isSecure: boolean; readonly callerOf: (token: string) => Caller | Error },
  ): Promise<Response> => {
    const attributes = `; Path=${basePath === "" ? "/" : basePath}; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`;
    if (request.method === "DELETE") return new Response(null, { status: 204, headers: { "set-cookie": `${cookieName}=; Max-Age=0${attributes}` } });
    if (request.method !== "POST") return page(basePath, "Give the token of this server.", 200);
    const length = Number(request.headers.get("content-length") ?? formBytesMax + 1);
    const token = length > formBytesMax ? "" : (new URLSearchParams(await request.text()).get("token") ?? "");
    if (callerOf(token) instanceof Error) return page(basePath, "That is no token of this server.", 401);
    return new Response(null, { status: 303, headers: { location: `${basePath}/inspector`, "set-cookie": `${cookieName}=${token}${attributes}` } });
  },
};
