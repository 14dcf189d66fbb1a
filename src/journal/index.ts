export * from "./errors.ts";
export * from "./journal.ts";
export * as MemoryJournal from "./memory.ts";
export { MemoryStore } from "./memory-store.ts";
export * as SqliteJournal from "./sqlite.ts";
