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
}

/** A reader that went away (`taskwright ps | head`) is no failure of the command. */
const ignoreClosedPipe = (stream: NodeJS.WriteStream) =>
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
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
  };
};
