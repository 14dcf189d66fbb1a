export { type Backup, backup, restore } from "./backup.ts";
export * from "./errors.ts";
export { type Examination, examine } from "./examine.ts";
export * from "./journal.ts";
export * as MemoryJournal from "./memory.ts";
export { MemoryStore } from "./memory-store.ts";
export * as SqliteJournal from "./sqlite.ts";
export { vacuum } from "./vacuum.ts";
