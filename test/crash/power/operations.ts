/** Something that a process did to a file, in the order in which it was complete. */
export type Operation =
  | { readonly kind: "open"; readonly file: string }
  | { readonly kind: "write"; readonly file: string; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: "append"; readonly file: string; readonly bytes: Buffer }
  | { readonly kind: "sync"; readonly file: string }
  | { readonly kind: "truncate"; readonly file: string; readonly size: number }
  | { readonly kind: "remove"; readonly file: string };

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll("\\x", ""), "hex");
const textOf = (hex: string): string => (hex.startsWith("\\x") ? bytesOf(hex).toString() : hex);

/**
 * What `strace -f -y -xx -o FILE` wrote: one call per line, strings and paths as hexadecimal bytes. A call that another
 * thread interrupted stands in two lines; it counts where it was complete.
 */
export const fromStrace = (text: string): ReadonlyArray<Operation> => {
  const unfinished = new Map<string, string>();
  return text.split("\n").flatMap((line) => {
    const [, pid = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(pid, rest.slice(0, -"<unfinished ...>".length));
      return [];
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const operation = fromCall(resumed === null ? rest : `${unfinished.get(pid) ?? ""}${resumed[1]}`);
    return operation === undefined ? [] : [operation];
  });
};

const fromCall = (call: string): Operation | undefined => {
  const [, name, args = "", answer] = /^(\w+)\((.*)\)\s+=\s+(-?\d+)/.exec(call) ?? [];
  if (name === undefined || Number(answer) < 0) return undefined;
  // The file behind a descriptor: `21<\x2f...>`.
  const file = textOf(/^\d+<([^>]*)>/.exec(args)?.[1] ?? "");
  const data = (): Buffer => bytesOf(/"((?:\\x[0-9a-f]{2})*)"/.exec(args)?.[1] ?? "").subarray(0, Number(answer));
  switch (name) {
    case "open":
    case "openat":
      return args.includes("O_CREAT") ? { kind: "open", file: textOf(/"((?:\\x[0-9a-f]{2})*)"/.exec(args)?.[1] ?? "") } : undefined;
    case "pwrite64":
      return { kind: "write", file, offset: Number(/(\d+)$/.exec(args)?.[1]), bytes: data() };
    case "write":
      return { kind: "append", file, bytes: data() };
    case "fsync":
    case "fdatasync":
      return { kind: "sync", file };
    case "ftruncate":
      return { kind: "truncate", file, size: Number(/(\d+)$/.exec(args)?.[1]) };
    case "unlink":
      return { kind: "remove", file: textOf(/"((?:\\x[0-9a-f]{2})*)"/.exec(args)?.[1] ?? "") };
    default:
      return undefined;
  }
};

/** What `faults/shim.c` wrote. */
export const fromRecorder = (log: Buffer): ReadonlyArray<Operation> => {
  const operations: Array<Operation> = [];
  for (let at = 0; at < log.length; ) {
    const kind = String.fromCharCode(log[at] as number);
    const pathEnd = at + 5 + log.readUInt32LE(at + 1);
    const file = log.subarray(at + 5, pathEnd).toString();
    const number = Number(log.readBigInt64LE(pathEnd));
    const end = pathEnd + 12 + log.readUInt32LE(pathEnd + 8);
    const bytes = log.subarray(pathEnd + 12, end);
    at = end;
    if (kind === "O") operations.push({ kind: "open", file });
    else if (kind === "W") operations.push({ kind: "write", file, offset: number, bytes });
    else if (kind === "A") operations.push({ kind: "append", file, bytes });
    else if (kind === "S") operations.push({ kind: "sync", file });
    else if (kind === "T") operations.push({ kind: "truncate", file, size: number });
    else operations.push({ kind: "remove", file });
  }
  return operations;
};
