import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { childAddress, childId, isRoot, livedAt, parentAddress, parseSystemAddress, rootAddress, supervisorAddress, systemAddress, treeOf, wrongId } from "../../src/domain/address.ts";

/** Ids made of what addresses give a meaning to, and of what they escape it with. */
const word = fc.array(fc.constantFrom("a", "7", "~", "%", ":", "#", "~7", "%7E", "%2F", "%25", "%3A", "."), { minLength: 1, maxLength: 5 }).map((parts) => parts.join(""));
const id = word.filter((text) => wrongId(text) === undefined);
const child = fc.array(fc.constantFrom("/", "a", "~", "%", "~7", "%2F", "%7E", "%25"), { minLength: 1, maxLength: 5 }).map((parts) => parts.join(""));
const root = id.map((text) => rootAddress("machine", text));
const address = fc.tuple(root, fc.array(child, { maxLength: 3 })).map(([from, path]) => path.reduce(childAddress, from));

describe("domain > addresses", () => {
  test("an id is read again from an address as it was given, whatever stands in it", () => {
    fc.assert(
      fc.property(id, (given) => {
        expect(childId(rootAddress("machine", given))).toBe(given);
      }),
    );
    fc.assert(
      fc.property(address, child, (parent, given) => {
        expect([childId(childAddress(parent, given)), parentAddress(childAddress(parent, given))]).toEqual([given, parent]);
      }),
    );
    fc.assert(
      fc.property(address, child, (member, systemId) => {
        expect(parseSystemAddress(systemAddress(member, systemId))).toEqual({ tree: treeOf(member), systemId });
      }),
    );
  });
  test("only an earlier incarnation of a child is taken for one", () => {
    fc.assert(
      fc.property(address, (given) => {
        expect(livedAt(given, 7)).toBe(given);
      }),
    );
    fc.assert(
      fc.property(address, (given) => {
        expect(livedAt(`${given}~7`, 7)).toBe(isRoot(given) ? `${given}~7` : given);
      }),
    );
  });
  test("each group has a supervisor of its own", () => {
    fc.assert(
      fc.property(address, address, (one, other) => {
        expect(supervisorAddress(one) === supervisorAddress(other)).toBe(one === other);
      }),
    );
  });
});
