import { said } from "./names.ts";

/**
 * Where an actor lives: `machine/id` for an actor that a host started, and the parent's address, a slash and the
 * child's id for a child: `task/42/assignment`. The path is the supervision tree.
 */
export type Address = string;

const idLengthMax = 200;
// Control characters and the slash would make an address ambiguous in a path, a log line or a URL; half of a
// surrogate pair does not survive the store.
const refused = /[\u0000-\u001f\u007f/]|\p{Surrogate}/u;

/** Whether the store gives this text back as it is: no U+0000 and no half of a surrogate pair. */
export const isStorable = (text: string): boolean => !/\u0000|\p{Surrogate}/u.test(text);

/** Says what is wrong with the id of an actor, or nothing. */
export const wrongId = (id: unknown): string | undefined => {
  if (typeof id !== "string" || id === "") return `an actor's id must be a non-empty string, got ${said(id)}`;
  if (id.length > idLengthMax) return `an actor's id has at most ${idLengthMax} characters`;
  if (refused.test(id)) return "an actor's id has no slash, no control characters and no half of a surrogate pair";
  if (id === "__proto__") return "the id __proto__ is refused";
  return undefined;
};

/** The address of an actor that a host starts. */
export const rootAddress = (machine: string, id: string): Address => `${machine}/${id}`;

/**
 * The address of a child. Slashes in the child's own id are escaped, so that the path stays a tree, and so is the
 * tilde that marks an earlier incarnation.
 */
export const childAddress = (parent: Address, child: string): Address => `${parent}/${child.replaceAll("%", "%25").replaceAll("/", "%2F").replaceAll("~", "%7E")}`;

/** Where the actor of that row lived: an earlier incarnation of a child stands at `address~row`. */
export const livedAt = (address: Address, row: number): Address => (!isRoot(address) && address.endsWith(`~${row}`) ? address.slice(0, address.lastIndexOf("~")) : address);

/** Whether a host started the actor, so that nobody is above it. */
export const isRoot = (address: Address): boolean => address.indexOf("/") === address.lastIndexOf("/");

/** The actor that decides on what becomes of those in a group: the children of one parent, or one that a host started. */
export const supervisorAddress = (group: Address): Address => `supervisor/${group.replaceAll("%", "%25").replaceAll(":", "%3A").replaceAll("/", ":")}`;

/** The actor in whose history it stands who took dead letters. */
export const takenLettersAddress: Address = "dead-letters/taken";

/** The address one level up, or nothing for an actor that a host started. */
export const parentAddress = (address: Address): Address | undefined => {
  const last = address.lastIndexOf("/");
  return address.indexOf("/") === last ? undefined : address.slice(0, last);
};

/** The id of a child within its parent; of an actor that a host started, its own, which stands in the address as it is. */
export const childId = (address: Address): string => {
  const last = address.slice(address.lastIndexOf("/") + 1);
  return isRoot(address) ? last : last.replaceAll("%7E", "~").replaceAll("%2F", "/").replaceAll("%25", "%");
};

const systemPrefix = "taskwright.system/";

/** The address of the actor that `systemId` names in the tree of `member`; the engine finds it when a message comes. */
export const systemAddress = (member: Address, systemId: string): Address => childAddress(`${systemPrefix}${treeOf(member)}`, systemId);

export const isSystemAddress = (address: Address): boolean => address.startsWith(systemPrefix);

/** What a system address means, or nothing for any other address. */
export const parseSystemAddress = (address: Address): { readonly tree: Address; readonly systemId: string } | undefined =>
  isSystemAddress(address) ? { tree: treeOf(address.slice(systemPrefix.length)), systemId: childId(address) } : undefined;

/** The address of the actor at the top of this one's tree. */
export const treeOf = (address: Address): Address => {
  const end = address.indexOf("/", address.indexOf("/") + 1);
  return end < 0 ? address : address.slice(0, end);
};

/** The machine id that an address of a root actor names. */
export const machineOf = (address: Address): string => address.slice(0, address.indexOf("/"));
