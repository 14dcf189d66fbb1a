import type { Operation } from "./operations.ts";
import type { Random } from "../random.ts";

/** What a disk writes as a whole; a larger write can be torn between any two of them. Bytes. */
const sectorBytes = 512;

/** A file's content: what is certainly on the disk, and what came after its last sync. */
interface Inode {
  durable: Buffer;
  pending: Array<Extract<Operation, { kind: "write" | "truncate" }>>;
}

/** A name that came or went since the last sync of anything. */
interface Change {
  readonly file: string;
  readonly inode: Inode | undefined;
}

/** The files after a power failure; one that is not there is absent. */
export type Image = ReadonlyMap<string, Buffer>;

/**
 * A disk with a cache that forgets: a sync makes the content of its file durable; of everything written later, any
 * sectors may survive and any may not, in any combination. Names come and go in order and are durable with the next
 * sync, as in a file system with a journal for its own structure (ext4, xfs).
 */
export class Disk {
  readonly #names = new Map<string, Inode>();
  readonly #durableNames = new Map<string, Inode>();
  #changes: Array<Change> = [];

  /** Files that are on it already, and certain to be. */
  constructor(files: Image = new Map()) {
    for (const [file, content] of files) {
      const inode = { durable: content, pending: [] };
      this.#names.set(file, inode);
      this.#durableNames.set(file, inode);
    }
  }

  take(operation: Operation): void {
    switch (operation.kind) {
      case "open":
        if (!this.#names.has(operation.file)) this.#rename(operation.file, { durable: Buffer.alloc(0), pending: [] });
        return;
      case "write":
      case "truncate":
        this.#names.get(operation.file)?.pending.push(operation);
        return;
      case "remove":
        if (this.#names.has(operation.file)) this.#rename(operation.file, undefined);
        return;
      case "sync": {
        for (const { file, inode } of this.#changes) set(this.#durableNames, file, inode);
        this.#changes = [];
        // The folder's own sync names no file that we keep.
        const inode = this.#names.get(operation.file);
        if (inode === undefined) return;
        inode.durable = inode.pending.reduce(apply, inode.durable);
        inode.pending = [];
        return;
      }
      case "append":
        return;
    }
  }

  #rename(file: string, inode: Inode | undefined): void {
    set(this.#names, file, inode);
    this.#changes.push({ file, inode });
  }

  /** The power fails now. `survival` is the chance of each sector that was not synced: 1 is a killed process. */
  fail({ unit, between }: Random, survival: number): Image {
    const names = new Map(this.#durableNames);
    const survivors = survival === 1 ? this.#changes.length : between(0, this.#changes.length);
    for (const { file, inode } of this.#changes.slice(0, survivors)) set(names, file, inode);
    const survives = () => survival === 1 || unit() < survival;
    return new Map([...names].map(([file, { durable, pending }]) => [file, pending.reduce((content, operation) => tear(content, operation, survives), durable)]));
  }

  /** Whether a power failure can lose anything at all now. */
  get isSettled(): boolean {
    return this.#changes.length === 0 && [...this.#names.values()].every(({ pending }) => pending.length === 0);
  }
}

const set = (names: Map<string, Inode>, file: string, inode: Inode | undefined): void => {
  if (inode === undefined) names.delete(file);
  else names.set(file, inode);
};

const resize = (content: Buffer, size: number): Buffer => (size <= content.length ? content.subarray(0, size) : Buffer.concat([content, Buffer.alloc(size - content.length)]));

const put = (content: Buffer, offset: number, bytes: Buffer): Buffer => {
  const next = Buffer.from(resize(content, Math.max(content.length, offset + bytes.length)));
  bytes.copy(next, offset);
  return next;
};

const apply = (content: Buffer, operation: Extract<Operation, { kind: "write" | "truncate" }>): Buffer =>
  operation.kind === "truncate" ? resize(content, operation.size) : put(content, operation.offset, operation.bytes);

/** Only the sectors that survive. */
const tear = (content: Buffer, operation: Extract<Operation, { kind: "write" | "truncate" }>, survives: () => boolean): Buffer => {
  if (operation.kind === "truncate") return survives() ? resize(content, operation.size) : content;
  let next = content;
  const end = operation.offset + operation.bytes.length;
  for (let at = operation.offset; at < end; ) {
    const sectorEnd = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes);
    if (survives()) next = put(next, at, operation.bytes.subarray(at - operation.offset, sectorEnd - operation.offset));
    at = sectorEnd;
  }
  return next;
};
