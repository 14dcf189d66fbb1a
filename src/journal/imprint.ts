import * as Effect from "effect/Effect";
import * as fs from "node:fs";
import type { Connection } from "./connection.ts";
import type { JournalError } from "./errors.ts";
import type { Identity } from "./file.ts";

/**
 * What the database file itself says of its owner, without the write-ahead log beside it. SQLite sees the newest row,
 * which stands in the log; a copy over the open file (the same file, other bytes) shows only here. The log is moved
 * into the file in order, so what the file says only ever goes on: to later renewals, to a release, to the next owner.
 */
export interface Imprint {
  readonly id: string;
  readonly epoch: number;
  readonly until: number;
}

/** Where the owner's row stands in a file. */
export interface Place {
  readonly page: number;
  readonly pageBytes: number;
}

export const locate = (connection: Connection): Effect.Effect<Place | undefined, JournalError> =>
  Effect.map(
    connection.read<{ page: number; bytes: number }>("SELECT rootpage AS page, (SELECT page_size FROM pragma_page_size) AS bytes FROM sqlite_schema WHERE name = 'owner'"),
    ([row]) => row && { page: row.page, pageBytes: row.bytes },
  );

/**
 * Whether a file may say `seen` after it said `before`, up to `owner`. Earlier owners come in between: one that was
 * paused in the middle of moving the log goes on with that when it wakes up, and moves no more than was there then.
 */
export const follows = (before: Imprint | undefined, seen: Imprint | undefined, owner: { readonly id: string; readonly epoch: number }): boolean => {
  if (seen === undefined) return before === undefined;
  if (seen.epoch > owner.epoch || (seen.epoch === owner.epoch && seen.id !== owner.id)) return false;
  if (before === undefined || seen.epoch > before.epoch) return true;
  // A released claim has `until` 0.
  return seen.epoch === before.epoch && seen.id === before.id && (seen.until >= before.until || seen.until === 0);
};

/** SQLite's own descriptor of a file, for reading. To open and close another one would take away SQLite's locks. */
export class Descriptor {
  readonly #opened: Identity;
  #fd: number | undefined;

  constructor(opened: Identity) {
    this.#opened = opened;
  }

  /** Nothing can be said where the system does not show descriptors (Windows), or the disk fails. About 5 µs. */
  read(place: Place): { readonly imprint: Imprint | undefined } | undefined {
    const fd = this.#find();
    if (fd === undefined) return undefined;
    try {
      const page = Buffer.alloc(place.pageBytes);
      const length = fs.readSync(fd, page, 0, page.length, (place.page - 1) * place.pageBytes);
      return { imprint: length < page.length ? undefined : decode(page) };
    } catch {
      return undefined;
    }
  }

  #find(): number | undefined {
    // Another connection of this process may have had it, and closed it.
    if (this.#fd !== undefined && this.#leads(this.#fd)) return this.#fd;
    this.#fd = descriptors().find((fd) => this.#leads(fd));
    return this.#fd;
  }

  #leads(fd: number): boolean {
    try {
      const { dev, ino } = fs.fstatSync(fd, { bigint: true });
      return dev === this.#opened.device && ino === this.#opened.inode;
    } catch {
      return false; // closed
    }
  }
}

const descriptors = (): ReadonlyArray<number> => {
  try {
    return fs.readdirSync("/dev/fd").map(Number);
  } catch {
    return [];
  }
};

const leafOfTable = 13;

/**
 * The first row of a table's leaf page (https://www.sqlite.org/fileformat2.html#b_tree_pages): the columns of `owner`
 * in their order, `one` being the row id. Nothing where the page is something else.
 */
const decode = (page: Buffer): Imprint | undefined => {
  try {
    if (page[0] !== leafOfTable || page.readUInt16BE(3) === 0) return undefined;
    let at = page.readUInt16BE(8);
    const varint = (): number => {
      for (let value = 0; ; ) {
        const byte = page.readUInt8(at++);
        value = value * 128 + (byte & 0x7f);
        if (byte < 128) return value;
      }
    };
    varint(); // bytes of the row
    varint(); // row id
    const header = at;
    const end = header + varint();
    const types: Array<number> = [];
    while (at < end) types.push(varint());
    at = end;
    const [, id, epoch, , , , until] = types.map((type) => {
      const bytes = bytesOf(type);
      const value =
        type >= 12 ? page.toString("utf8", at, at + bytes) : type === 8 || type === 9 ? type - 8 : bytes === 8 ? Number(page.readBigInt64BE(at)) : bytes === 0 ? 0 : page.readIntBE(at, bytes);
      at += bytes;
      return value;
    });
    return typeof id === "string" && typeof epoch === "number" && typeof until === "number" ? { id, epoch, until } : undefined;
  } catch {
    return undefined; // no page of ours
  }
};

const integerBytes = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0] as const;
const bytesOf = (type: number): number => (type < 12 ? (integerBytes[type] as number) : (type - 12) >> 1);
