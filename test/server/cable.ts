import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A network cable to a local port, which can be pulled: everything on it is gone in the middle, and nobody is told politely. */
export const cable = async (port: number) => {
  const ends = new Set<Socket>();
  let isPulled = false;
  let cuts = 0;
  const server = createServer((near) => {
    if (isPulled) return near.destroy();
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(one);
      one.on("data", (piece) => void other.write(piece));
      one
        .on("error", () => other.destroy())
        .on("close", () => {
          ends.delete(one);
          other.destroy();
        });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const pull = () => {
    cuts++;
    isPulled = true;
    for (const end of ends) end.resetAndDestroy();
  };
  onTestFinished(() => {
    pull();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pull,
    plug: () => {
      isPulled = false;
    },
    cuts: () => cuts,
    open: () => ends.size,
  };
};
