import * as Schema from "effect/Schema";

/** A file or text is no history file, or one that this version can't read. */
export class HistoryFileInvalid extends Schema.TaggedError<HistoryFileInvalid>()("HistoryFileInvalid", { line: Schema.Number, detail: Schema.String }) {
  readonly code = "history_file_invalid";
  readonly status = 422;
  readonly retryable = false;
  override get message() {
    return `line ${this.line}: ${this.detail}; export it again, or see docs/reference/history-file.md`;
  }
}

/** Nothing that was given can step this history: no machine of this id, or none in the form that wrote it. */
export class MachineMissing extends Schema.TaggedError<MachineMissing>()("MachineMissing", {
  address: Schema.String,
  machine: Schema.String,
  version: Schema.String,
  known: Schema.Array(Schema.String),
}) {
  readonly code = "machine_missing";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `nothing that was given can step "${this.address}": it is of machine "${this.machine}" (version "${this.version}"; given: ${this.known.join(", ") || "none"}); give the machine that wrote it`;
  }
}

/** There is no such entry in the history: before its beginning, or behind its end. */
export class EntryMissing extends Schema.TaggedError<EntryMissing>()("EntryMissing", { address: Schema.String, seq: Schema.Number, first: Schema.Number, last: Schema.Number }) {
  readonly code = "entry_missing";
  readonly status = 404;
  readonly retryable = false;
  override get message() {
    return `the history of "${this.address}" has no entry ${this.seq}: it goes from ${this.first} to ${this.last}`;
  }
}

/** An actor of a history file can't be put into a journal. Nothing was written. */
export class ImportRefused extends Schema.TaggedError<ImportRefused>()("ImportRefused", { address: Schema.String, detail: Schema.String }) {
  readonly code = "import_refused";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `"${this.address}" can't be imported: ${this.detail}; nothing was written`;
  }
}

/** The machine that was given is not the one that wrote the history: what might have been can't be told with it. */
export class ReplayDiffers extends Schema.TaggedError<ReplayDiffers>()("ReplayDiffers", { address: Schema.String, seq: Schema.Number, detail: Schema.String }) {
  readonly code = "replay_differs";
  readonly status = 409;
  readonly retryable = false;
  override get message() {
    return `the history of "${this.address}" does not replay on the machine that was given: entry ${this.seq}: ${this.detail}; give the one that wrote it, and see "taskwright replay"`;
  }
}

/** What might have been was asked for in a way that makes no sense of this history. */
export class WhatIfRefused extends Schema.TaggedError<WhatIfRefused>()("WhatIfRefused", { address: Schema.String, seq: Schema.Number, detail: Schema.String }) {
  readonly code = "what_if_refused";
  readonly status = 422;
  readonly retryable = false;
  override get message() {
    return `"${this.address}", entry ${this.seq}: ${this.detail}`;
  }
}

/** Actors of this machine can't be moved. Nothing was written. */
export class MoveRefused extends Schema.TaggedError<MoveRefused>()("MoveRefused", { machine: Schema.String, detail: Schema.String }) {
  readonly code = "move_refused";
  readonly status = 422;
  readonly retryable = false;
  override get message() {
    return `actors of machine "${this.machine}" can't be moved: ${this.detail}`;
  }
}
