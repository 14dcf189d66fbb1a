import { connect, type Socket } from "node:net";

export interface RawAnswer {
  /** 0: the connection was closed without an answer. */
  readonly status: number;
  readonly text: string;
  /** Nobody closed it: it was not waited for any longer. */
  readonly isLeft: boolean;
}

/** Writes bytes as they are, as no HTTP library would, and reads until the other side closes. */
export const raw = (port: number, bytes: string | Buffer, { patienceMs = 30_000 } = {}): Promise<RawAnswer> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const end = (isLeft: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text, isLeft });
    };
    const timer = setTimeout(end, patienceMs, true);
    socket.on("data", (piece) => {
      text += piece.toString("latin1");
    });
    socket.on("error", () => end(false)).on("close", () => end(false));
    socket.on("connect", () => socket.write(bytes));
  });

export const head = (lines: ReadonlyArray<string>): string => `${lines.join("\r\n")}\r\n\r\n`;

/** A connection that stays open and reads nothing. */
export const silent = (port: number, bytes: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(bytes);
      resolve(socket);
    });
    socket.pause();
    socket.on("error", reject);
  });
