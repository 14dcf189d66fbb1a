import { createInterface } from "node:readline";

/** Where the command reads and writes. */
export interface Streams {
  /** To standard output. */
  readonly out: (text: string) => void;
  /** To standard error. */
  readonly error: (text: string) => void;
  /** Whether somebody watches standard output. */
  readonly isTerminal: boolean;
  readonly columns: () => number;
  /** All of standard input. */
  readonly input: () => Promise<string>;
  /** Asks whoever sits at the terminal for a line; absent: nobody does. Undefined: they went away, or it was called off. */
  readonly ask?: (prompt: string, signal: AbortSignal) => Promise<string | undefined>;
}

/** A reader that went away (`taskwright ps | head`) is no failure of the command. */
const ignoreClosedPipe = (stream: NodeJS.WriteStream) =>
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });

/** Without raw mode, so that Ctrl-C stays a signal. */
const ask = (prompt: string, signal: AbortSignal): Promise<string | undefined> =>
  new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
    const end = (line?: string) => {
      resolve(line);
      lines.close();
    };
    lines.once("line", end).once("close", () => resolve(undefined));
    signal.addEventListener("abort", () => end(), { once: true });
    process.stderr.write(prompt);
  });

export const processStreams = (): Streams => {
  ignoreClosedPipe(process.stdout);
  ignoreClosedPipe(process.stderr);
  return {
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
    isTerminal: process.stdout.isTTY === true,
    columns: () => process.stdout.columns || 80,
    input: async () => {
      let text = "";
      for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
      return text;
    },
    ...(process.stdin.isTTY === true ? { ask } : {}),
  };
};
