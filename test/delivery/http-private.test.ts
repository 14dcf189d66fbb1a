import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { type Entry, httpDestination, type HttpOptions, type Lookup } from "../../src/delivery/index.ts";
import { isPublic } from "../../src/delivery/http-addresses.ts";
import { VirtualTime } from "../../src/testing/index.ts";
import { LocalServer } from "./http-server.ts";

/*
 * Requests must not be led to addresses that only this process can reach. No test here needs a network: what is refused
 * is refused before anything connects, and where the address is one of this machine, a real server would notice.
 */

/** Tests may take this one address for public, so that a real server can play the public receiver that redirects. */
const stage = vi.hoisted(() => {
  // Files share their modules: without this, those that an earlier file loaded would be used, not the one of the next lines.
  vi.resetModules();
  return { address: "" };
});
vi.mock("../../src/delivery/http-addresses.ts", async (load) => {
  const real = await load<typeof import("../../src/delivery/http-addresses.ts")>();
  return { ...real, isPublic: (address: string) => address === stage.address || real.isPublic(address) };
});

const entry: Entry = { outbox: "outbox/box", key: "order-1", type: "message", lane: "message", payload: {}, occurredAt: 0 };
afterAll(() => {
  vi.resetModules();
});
const servers: Array<LocalServer> = [];
afterEach(async () => {
  stage.address = "";
  await Promise.all(servers.splice(0).map((server) => server.close()));
});
const serve = async (location?: () => string) => {
  const server = await LocalServer.http((response) => (location === undefined ? response.end() : response.writeHead(307, { location: location() }).end()));
  servers.push(server);
  return server;
};
const deliver = async (options: HttpOptions) => httpDestination({ time: new VirtualTime(), keepAliveMs: 0, ...options })(entry, { attempt: 1, signal: new AbortController().signal });
const found =
  (...addresses: ReadonlyArray<string>): Lookup =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));

/** Ways to write an address that is not public. The port is that of a server on 127.0.0.1. */
const literals: ReadonlyArray<readonly [string, (port: number) => string]> = [
  "127.0.0.1",
  "127.1",
  "127.0.1",
  "127.255.255.254",
  "2130706433",
  "0x7f000001",
  "0x7f.0.0.1",
  "0x7f.1",
  "0177.0.0.1",
  "017700000001",
  "0177.0x0.0.1",
  "127.0.0.1.",
  "127。0。0。1",
  "①②⑦.⓪.⓪.①",
  "%31%32%37.0.0.1",
  "0",
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "100.127.255.255",
  "169.254.169.254",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.1",
  "192.0.0.192",
  "198.18.0.1",
  "168.63.129.16",
  "224.0.0.1",
  "255.255.255.255",
  "[::1]",
  "[::]",
  "[0:0:0:0:0:0:0:1]",
  "[::127.0.0.1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[0:0:0:0:0:ffff:a9fe:a9fe]",
  "[::ffff:0:127.0.0.1]",
  "[64:ff9b::127.0.0.1]",
  "[64:ff9b::a9fe:a9fe]",
  "[64:ff9b:1::a00:1]",
  "[2002:7f00:1::]",
  "[2001:0:7f00:1::]",
  "[2001:db8::1]",
  "[fc00::1]",
  "[fd00:ec2::254]",
  "[fe80::1]",
  "[fec0::1]",
  "[ff02::1]",
  "[100::1]",
].map((host) => [host, (port) => `http://${host}:${port}/latest/meta-data`]);

describe("delivery > http > private addresses", () => {
  test.each(literals)("are refused as a url of an entry, before anything connects: %s", async (_, urlOf) => {
    const server = await serve();
    const url = urlOf(server.port);
    expect(await deliver({ url: () => url })).toMatchObject({ verdict: "refused", reason: expect.stringMatching(/no public address/) });
    expect(server.connections).toBe(0);
  });

  test.each(literals)("are refused as the url of the destination: %s", (_, urlOf) => {
    expect(() => httpDestination({ url: urlOf(80) })).toThrow(/no public address/);
    expect(() => httpDestination({ url: urlOf(80), allowPrivate: true })).not.toThrow();
  });

  test.each(["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "fd00::1", "fe80::1", "fe80::1%eth0", "::", "0.0.0.0", "not an address"])(
    "behind a name are not connected to: %s",
    async (address) => {
      const server = await serve();
      expect(await deliver({ url: `http://hooks.example:${server.port}/`, lookup: found(address) })).toMatchObject({
        verdict: "retry",
        reason: expect.stringMatching(/no public address|no address was found/),
      });
      expect(server.connections).toBe(0);
    },
  );

  test("hidden among public ones are enough to refuse a name", async () => {
    const server = await serve();
    for (const addresses of [
      ["93.184.215.14", "127.0.0.1"],
      ["127.0.0.1", "93.184.215.14"],
      ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"],
    ])
      expect(await deliver({ url: `http://hooks.example:${server.port}/`, lookup: found(...addresses) })).toMatchObject({ verdict: "retry", reason: expect.stringContaining("no public address") });
    expect(server.connections).toBe(0);
  });

  test("are what localhost leads to", async () => {
    const server = await serve();
    for (const host of ["localhost", "LOCALHOST", "localhost."]) expect(await deliver({ url: `http://${host}:${server.port}/` })).toMatchObject({ verdict: "retry" });
    expect(server.connections).toBe(0);
  });

  test("that are allowed are delivered to, by number and by name", async () => {
    const server = await serve();
    expect(await deliver({ url: `http://0x7f.1:${server.port}/`, allowPrivate: true })).toEqual({ verdict: "delivered" });
    expect(await deliver({ url: `http://hooks.example:${server.port}/`, allowPrivate: true, lookup: found("127.0.0.1") })).toEqual({ verdict: "delivered" });
    expect(server.got.map(({ headers }) => headers.host)).toEqual([`127.0.0.1:${server.port}`, `hooks.example:${server.port}`]);
  });

  test("are not reached by a name that changes between its check and its use: it is looked up once per connection", async () => {
    const inside = await serve();
    const asked: Array<string> = [];
    const lookup: Lookup = async (hostname) => {
      asked.push(hostname);
      // Good at first, then bad: whoever looks twice, connects to the second.
      return [{ address: asked.length === 1 ? "127.0.0.1" : "127.0.0.2", family: 4 }];
    };
    expect(await deliver({ url: `http://rebind.example:${inside.port}/`, lookup, allowPrivate: true })).toEqual({ verdict: "delivered" });
    expect(asked).toEqual(["rebind.example"]);
    expect(inside.got).toHaveLength(1);
  });

  test("are not reached by a name that was public at the request before", async () => {
    const inside = await serve();
    stage.address = "127.0.0.1";
    const gate = await serve(() => `http://rebind.example:${inside.port}/`);
    const lookup: Lookup = async () => [{ address: "127.0.0.1", family: 4 }];
    expect(await deliver({ url: gate.url, redirectHosts: [`rebind.example:${inside.port}`], lookup })).toMatchObject({ verdict: "retry", reason: expect.stringContaining("no public address") });
    expect(gate.got).toHaveLength(1);
    expect(inside.connections).toBe(0);
  });

  test.each(["127.0.0.2", "2130706434", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]"])("are refused as the aim of a redirect, also where the host is named: %s", async (host) => {
    const inside = await serve();
    const aim = new URL(`http://${host}:${inside.port}/`);
    const gate = await serve(() => aim.href);
    stage.address = "127.0.0.1";
    expect(await deliver({ url: gate.url, redirectHosts: [aim.host] })).toMatchObject({ verdict: "refused", reason: expect.stringContaining("no public address") });
    expect(gate.got).toHaveLength(1);
    expect(inside.connections).toBe(0);
  });

  test.each([
    "1.1.1.1",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "192.169.0.1",
    "11.0.0.1",
    "9.255.255.255",
    "126.255.255.255",
    "128.0.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00::1",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
  ])("are not what lies beside them: %s", (address) => {
    expect(isPublic(address)).toBe(true);
  });
});
