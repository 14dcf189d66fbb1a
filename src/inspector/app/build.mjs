// Builds the page, unless nothing has changed since the last time: `npm start` and `npm test` call this every time.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const app = dirname(fileURLToPath(import.meta.url));
const root = join(app, "../../..");
const mark = join(root, "dist/src/inspector/web/built-from.txt");

const hash = createHash("sha256");
const files = readdirSync(app, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
for (const path of [...files.map((entry) => join(entry.parentPath, entry.name)).sort(), join(root, "src/inspector/wire.ts"), join(root, "package-lock.json")]) {
  if (existsSync(path)) hash.update(path.slice(root.length)).update(readFileSync(path));
}
const present = hash.digest("hex");

if (!existsSync(mark) || readFileSync(mark, "utf8") !== present) {
  const { build } = await import("vite");
  await build({ configFile: join(app, "vite.config.ts") });
  writeFileSync(mark, present);
}
