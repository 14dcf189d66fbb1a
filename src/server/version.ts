import { readFileSync } from "node:fs";

/** The version of this package. */
export const version: string = (() => {
  // The compiled program lies in dist/src/server, the source in src/server.
  for (const up of ["../../../package.json", "../../package.json"]) {
    try {
      const found = JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { readonly name?: string; readonly version?: string };
      if (found.name === "taskwright" && found.version !== undefined) return found.version;
    } catch {
      // The other place.
    }
  }
  return "unknown";
})();
