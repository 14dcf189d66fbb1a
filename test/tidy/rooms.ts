import { posix } from "node:path";
import { codeOf, lineAt, type SourceFile, type Violation } from "./source.ts";

const upToEngine = ["domain", "machines", "actor", "journal", "engine"];
const services = ["dispatch", "delivery", "orchestration", "broker", "analysis", "replay"];

/** What each room may import from, besides itself. Arrows point one way; docs/internals/architecture.md draws them. */
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  domain: [],
  machines: ["domain"],
  actor: ["domain"],
  journal: ["domain"],
  engine: ["domain", "machines", "actor", "journal"],
  worker: ["domain", "machines"],
  delivery: upToEngine,
  dispatch: [...upToEngine, "delivery"],
  orchestration: [...upToEngine, "delivery", "dispatch"],
  broker: [...upToEngine, "delivery"],
  analysis: upToEngine,
  replay: [...upToEngine, "analysis"],
  inspector: [...upToEngine, ...services],
  server: [...upToEngine, ...services],
  cluster: [...upToEngine, ...services],
  cli: [...upToEngine, ...services, "inspector", "server"],
  testing: [...upToEngine, ...services],
  // The doors of the package: src/index.ts and its neighbours.
  package: [...upToEngine, ...services, "inspector", "server", "cluster", "cli", "testing"],
};

/** Rooms whose files are each for everybody. */
const open = new Set(["domain", "machines"]);

/** Packages that only some rooms may know. */
const packages: ReadonlyArray<{ readonly name: RegExp; readonly rooms: ReadonlyArray<string>; readonly why: string }> = [
  { name: /^effect$/, rooms: [], why: 'import what is needed ("effect/Effect"): the whole of it costs 200 ms at every start' },
  { name: /^effect\/Schema$/, rooms: Object.keys(mayImport).filter((room) => room !== "machines"), why: "machines import xstate and src/domain only" },
  { name: /^effect\/(?!Schema$)/, rooms: Object.keys(mayImport).filter((room) => !["domain", "machines", "actor"].includes(room)), why: "domain, actor and machines run without Effect" },
  { name: /^@effect\/(sql|platform|cluster|experimental|rpc)/, rooms: ["journal", "delivery", "server", "cluster", "cli"], why: "only the rooms at the edge know Effect's drivers and platforms" },
  { name: /^@effect\/cli/, rooms: ["cli"], why: "the command line is src/cli" },
  { name: /^vitest$/, rooms: ["testing"], why: "only src/testing is for test suites" },
  { name: /^node:/, rooms: Object.keys(mayImport).filter((room) => !["domain", "machines", "worker"].includes(room)), why: "domain and machines are pure, and a worker may live in a browser" },
];

export const roomOf = (path: string): string | undefined => (/^machines\//.test(path) ? "machines" : (/^src\/([^/]+)\//.exec(path)?.[1] ?? (/^src\/[^/]+\.ts$/.test(path) ? "package" : undefined)));

const imported = /\b(?:import|export)\b[^;"']*?\bfrom\s*"([^"\n]+)"|\bimport\s*\(\s*"([^"\n]+)"|\bimport\s*"([^"\n]+)"/g;

/** Imports against the arrows, around a room's door, or of a package that the room should not know. */
export const roomViolations = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Violation> =>
  files.flatMap(({ path, text }) => {
    const room = roomOf(path);
    if (room === undefined || !path.endsWith(".ts")) return [];
    const allowed = mayImport[room];
    if (allowed === undefined) return [{ file: path, line: 1, message: `the room "${room}" is not in test/tidy/rooms.ts; say there what it may import` }];
    const code = codeOf(text);
    return [...text.matchAll(imported)].flatMap((match): ReadonlyArray<Violation> => {
      // In a comment or a text there is no import.
      if (code.slice(match.index, match.index + 6).trim() === "") return [];
      const target = match[1] ?? match[2] ?? match[3] ?? "";
      const at = { file: path, line: lineAt(text, match.index) };
      if (!target.startsWith(".")) return packages.filter(({ name, rooms }) => name.test(target) && !rooms.includes(room)).map(({ why }) => ({ ...at, message: `imports "${target}": ${why}` }));
      const resolved = posix.join(posix.dirname(path), target);
      const other = roomOf(resolved);
      if (other === room) return [];
      if (other === undefined) return [{ ...at, message: `imports ${resolved}, which is outside of src and machines` }];
      if (!allowed.includes(other)) return [{ ...at, message: `${room} may not import ${other} (only ${allowed.join(", ") || "nothing"})` }];
      const isDoor = resolved === `src/${other}/index.ts`;
      return isDoor || open.has(other) ? [] : [{ ...at, message: `reaches around the door of ${other}; import src/${other}/index.ts` }];
    });
  });
