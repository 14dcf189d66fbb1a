import { lookup as systemLookup } from "node:dns/promises";
import { BlockList, isIP, type LookupFunction } from "node:net";

/** Finds the addresses of a host name. Rejects where there are none. */
export type Lookup = (hostname: string) => PromiseLike<ReadonlyArray<ResolvedAddress>>;

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

export const resolve: Lookup = (hostname) => systemLookup(hostname, { all: true });

/** What the registry of special-purpose addresses sets apart from the public Internet: local, private, shared, test, multicast. */
const special: ReadonlyArray<readonly [string, number]> = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
  // A public address that a cloud answers on from inside of its machines.
  ["168.63.129.16", 32],
];

/** Where the last 32 bits are an IPv4 address: mapped ones, and those of a NAT64. */
const embedding = ["::ffff:", "64:ff9b::"];

const closed4 = new BlockList();
for (const [network, prefix] of special) closed4.addSubnet(network, prefix, "ipv4");

// Of IPv6, what is not named here is not public: an address that nobody thought of stays closed.
const open6 = new BlockList();
open6.addSubnet("2000::", 3, "ipv6");
const closed6 = new BlockList();
closed6.addSubnet("2001::", 23, "ipv6");
closed6.addSubnet("2001:db8::", 32, "ipv6");
closed6.addSubnet("2002::", 16, "ipv6");
closed6.addSubnet("3fff::", 20, "ipv6");
for (const before of embedding) {
  open6.addSubnet(`${before}0.0.0.0`, 96, "ipv6");
  for (const [network, prefix] of special) closed6.addSubnet(`${before}${network}`, 96 + prefix, "ipv6");
}

/** Whether an address belongs to the public Internet. What is no address does not. */
export const isPublic = (address: string): boolean => {
  const family = isIP(address);
  if (family === 4) return !closed4.check(address, "ipv4");
  return family === 6 && open6.check(address, "ipv6") && !closed6.check(address, "ipv6");
};

/** The address that a URL names itself, without the brackets of IPv6; undefined where it names a host. */
export const literalOf = (url: URL): string | undefined => {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return isIP(host) === 0 ? undefined : host;
};

/**
 * For the connection itself, so that what is checked is what is connected to: a name is looked up once per connection.
 * One private address among public ones is enough to refuse the name.
 */
export const publicLookup =
  (lookup: Lookup, allowsPrivate: boolean): LookupFunction =>
  (hostname, options, callback) => {
    const fail = (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), "", 0);
    Promise.resolve()
      .then(() => lookup(hostname))
      .then((found) => {
        const family = options.family === "IPv4" ? 4 : options.family === "IPv6" ? 6 : (options.family ?? 0);
        const addresses = found.flatMap(({ address }) => (isIP(address) === 0 || (family !== 0 && isIP(address) !== family) ? [] : [{ address, family: isIP(address) }]));
        const [first] = addresses;
        if (first === undefined) throw new Error(`no address was found for "${hostname}"`);
        const barred = allowsPrivate ? undefined : found.find(({ address }) => !isPublic(address));
        if (barred !== undefined) throw new Error(`"${hostname}" leads to ${barred.address}, which is no public address; pass allowPrivate where that is meant`);
        if (options.all === true) callback(null, addresses);
        else callback(null, first.address, first.family);
      })
      .catch(fail);
  };
