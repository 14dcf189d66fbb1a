import { createHmac } from "node:crypto";

/** Bytes of a secret, as the specification bounds them. */
const secretBytes = { min: 24, max: 64 };

/**
 * Signs a message as "Standard Webhooks" says (https://www.standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`,
 * one signature per secret, so that a receiver may have the old or the new one while they are changed.
 * Throws for a secret that is none.
 */
export const signatureHeaders = (secrets: ReadonlyArray<string>, message: { readonly id: string; readonly at: number; readonly body: string }): Readonly<Record<string, string>> => {
  const { id, at, body } = message;
  const timestamp = Math.floor(at / 1_000);
  const signatures = secrets.map((secret) => `v1,${createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest("base64")}`);
  return { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": signatures.join(" ") };
};

/** The key that a secret `whsec_` with base64 stands for. Throws without telling the secret. */
export const keyOf = (secret: string): Buffer => {
  const text = secret.replace(/^whsec_/, "");
  const key = Buffer.from(text, "base64");
  if (key.toString("base64").replace(/=+$/, "") !== text.replace(/=+$/, "")) throw new Error("a webhook secret is no base64; write it as whsec_ and the base64 of its bytes");
  if (key.length < secretBytes.min || key.length > secretBytes.max)
    throw new Error(`a webhook secret has ${key.length} bytes, and must have ${secretBytes.min} to ${secretBytes.max}; make one with "openssl rand -base64 32"`);
  return key;
};
