import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

interface Introduction {
  readonly name: string;
  readonly pid: number;
  readonly task: string;
  readonly attempt: string;
  readonly colour?: string;
  readonly cwd: string;
}

/** A command that runs, and does what it is told. */
export class Puppet {
  readonly who: Introduction;
  /** Resolves when its process is gone. */
  readonly gone: Promise<void>;
  readonly #socket: Socket;
  readonly #heard: (signal: string) => Promise<void>;

  constructor(who: Introduction, socket: Socket, gone: Promise<void>, heard: (signal: string) => Promise<void>) {
    this.who = who;
    this.gone = gone;
    this.#socket = socket;
    this.#heard = heard;
  }

  tell(what: "print" | "exit" | "die" | "breed", how: { readonly [key: string]: unknown }): void {
    this.#socket.write(`${JSON.stringify({ what, ...how })}\n`);
  }
  heard(signal: string): Promise<void> {
    return this.#heard(signal);
  }
}

/** Where puppets call: a test waits here for each by its name. */
export class Stage {
  readonly #folder = mkdtempSync(join(tmpdir(), "taskwright-puppets-"));
  readonly socketPath = join(this.#folder, "socket");
  readonly #came: Array<Puppet> = [];
  readonly #waiting = new Map<string, Array<(puppet: Puppet) => void>>();
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#welcome(socket));

  /** The words of a command that calls here. */
  readonly argv: ReadonlyArray<string> = [process.execPath, fileURLToPath(new URL("puppet.mjs", import.meta.url)), this.socketPath];

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.socketPath, resolve));
    return this;
  }

  /** The next puppet of this name that nobody has waited for. */
  next(name: string): Promise<Puppet> {
    const index = this.#came.findIndex(({ who }) => who.name === name);
    if (index >= 0) return Promise.resolve(this.#came.splice(index, 1)[0] as Puppet);
    return new Promise((resolve) => {
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), resolve]);
    });
  }

  #welcome(socket: Socket): void {
    this.#sockets.add(socket);
    const signals = new Map<string, () => void>();
    const gone = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.once("close", () => this.#sockets.delete(socket));
    socket.on("error", () => {});
    const heard = (signal: string) => new Promise<void>((resolve) => signals.set(signal, resolve));
    const lines = createInterface({ input: socket });
    lines.on("error", () => {});
    lines.on("line", (line) => {
      const said = JSON.parse(line) as Introduction | { readonly heard: string };
      if ("heard" in said) return signals.get(said.heard)?.();
      const puppet = new Puppet(said, socket, gone, heard);
      const waiting = this.#waiting.get(said.name)?.shift();
      if (waiting === undefined) this.#came.push(puppet);
      else waiting(puppet);
    });
  }

  /** Cuts all lines: whoever is left ends. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
