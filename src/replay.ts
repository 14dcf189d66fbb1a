/*
 * Histories: step through an actor's past, prove that its state follows from it, keep it as a file, compare what a changed
 * machine makes of it, try out what might have been.
 */
export type { Command, Microstep, StoredState } from "./actor/index.ts";
export type { HistoryEntry, HistoryStart } from "./engine/index.ts";
export {
  type Cause,
  type ChartLine,
  type Difference,
  eachHistory,
  EntryMissing,
  type ExportOptions,
  type FieldDifference,
  fieldDifferences,
  Forms,
  formsOf,
  type History,
  type HistoryFile,
  HistoryFileInvalid,
  type HistoryFilter,
  historyFileVersion,
  historyLines,
  historyOf,
  type Imported,
  importHistories,
  ImportRefused,
  MachineMissing,
  type Machines,
  readHistories,
  readHistory,
  type Redaction,
  type RedactionPath,
  type Replay,
  type ReplayOptions,
  type ReplayStep,
  replay,
  replayOn,
  replaySteps,
  stateAt,
  type Wrong,
  writeHistories,
} from "./replay/index.ts";
