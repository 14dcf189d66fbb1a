import * as Effect from "effect/Effect";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type Broker, type Connection, connectEndpoint, listenForEndpoints, type LocalServer } from "../../src/broker/index.ts";

const standing = { state: "accepted", sequence: 1 } as const;

/** A broker that takes everybody, and remembers what it was called for. */
const stub = () => {
  const calls: Array<string> = [];
  let connection: Connection | undefined;
  const broker = {
    attach: (_: unknown, given: Connection) => {
      connection = given;
      return Effect.succeed({
        endpoint: "e",
        incarnation: 1,
        accepted: [],
        accept: (assignment: string) =>
          Effect.sync(() => {
            calls.push(assignment);
            return standing;
          }),
        heartbeat: () => Effect.void,
        detach: () => Effect.void,
      });
    },
  } as unknown as Broker;
  return { broker, calls, connection: () => connection as Connection };
};

const hello = '{"type":"hello","hello":{"endpoint":"e","owner":"1"}}\n';
const accept = (assignment: string) => `{"type":"call","id":1,"call":{"name":"accept","assignment":"${assignment}"}}\n`;

describe("broker > connections", () => {
  const servers: Array<LocalServer> = [];
  const sockets: Array<Socket> = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) await server.close();
  });
  const open = async (broker: Broker): Promise<Socket> => {
    const server = await listenForEndpoints(broker, { port: 0, host: "127.0.0.1" });
    servers.push(server);
    const socket = connect(Number(server.address), "127.0.0.1");
    socket.on("error", () => {});
    sockets.push(socket);
    await once(socket, "connect");
    return socket;
  };
  const attached = async (broker: Broker): Promise<Socket> => {
    const socket = await open(broker);
    socket.write(hello);
    expect(String((await once(socket, "data"))[0])).toContain('"type":"attached"');
    return socket;
  };

  test.each([
    ["no JSON", "hello\n"],
    ["a value that is no line", '{"type":"bow"}\n'],
    ["an endpoint without a name", '{"type":"hello","hello":{"endpoint":"","owner":"1"}}\n'],
    ["a call before the hello", accept("a")],
    ["a second hello", hello + hello],
    ["a line without an end", "x".repeat(2 * 1024 * 1024 + 1)],
  ])("%s ends the connection, and is carried out by nobody", async (_, text) => {
    const { broker, calls } = stub();
    const socket = await open(broker);
    socket.resume();
    const closed = once(socket, "close");
    socket.write(text);
    await closed;
    expect(calls).toEqual([]);
  });

  test("a line may come in pieces, also within a character, and two in one piece", async () => {
    const { broker, calls } = stub();
    const socket = await attached(broker);
    const bytes = Buffer.from(accept("ä") + accept("b"));
    const cut = bytes.indexOf(0xc3) + 1;
    socket.write(bytes.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(bytes.subarray(cut));
    let heard = "";
    while (heard.split("\n").length < 3) heard += String((await once(socket, "data"))[0]);
    expect(calls).toEqual(["ä", "b"]);
  });

  test("a connection that is cut within a line is closed, and the line is not carried out", async () => {
    const { broker, calls, connection } = stub();
    const socket = await attached(broker);
    const closed = new Promise<void>((resolve) => connection().onClosed(resolve));
    socket.end(accept("a").slice(0, -5));
    await closed;
    expect(calls).toEqual([]);
  });

  test("what an endpoint that does not read can't be written is refused, and does not pile up", async () => {
    const { broker, connection } = stub();
    const socket = await attached(broker);
    socket.pause();
    const message = { id: "m", content: "x".repeat(1024 * 1024) };
    const push = () => {
      for (let frames = 0; frames < 64; frames++) connection().push({ type: "offer", assignment: String(frames), message });
    };
    expect(push).toThrow("the other end does not read");
  });

  test("an endpoint takes leave of a broker that says nothing any more", async () => {
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.once("data", () => socket.write('{"type":"attached","incarnation":1,"accepted":[]}\n'));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const endpoint = connectEndpoint({ endpoint: "e", owner: "1", broker: server.address() as { port: number }, onMessage: () => undefined });
    await endpoint.attached();
    await endpoint.close();
    expect(endpoint.isAttached()).toBe(false);
    server.close();
  });
});
