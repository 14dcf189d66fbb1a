import type { Tally } from "./progress.ts";
import { barText } from "./progress-bar.ts";
import type { Streams } from "./streams.ts";
import { type Summary, summaryText } from "./summary.ts";
import { eventText, type TaskEvent } from "./task-event.ts";

/** How a run is told while it happens. */
export interface Reporter {
  readonly begin: (beginning: Beginning) => void;
  readonly event: (event: TaskEvent) => void;
  /** Something that concerns the run as a whole. */
  readonly notice: (text: string) => void;
  /** Somebody is asked at the terminal, or has answered: meanwhile nothing is drawn over what they type. */
  readonly asking: (isAsking: boolean) => void;
  /** Called a few times per second. */
  readonly tick: (tally: Tally, elapsedMs: number) => void;
  readonly end: (summary: Summary) => void;
}

export interface Beginning {
  readonly total: number;
  /** Of those: ended in an earlier run. */
  readonly endedBefore: number;
  /** Unfinished tasks in the same journal that are not in the file: they go on too. */
  readonly others: number;
  readonly database: string;
  readonly slots: number;
}

const beginningText = ({ total, endedBefore, others, database, slots }: Beginning): string => {
  const before = endedBefore === 0 ? "" : endedBefore === total ? "; all had ended before and are not repeated" : `; ${endedBefore} had ended before and are not repeated`;
  return `${total === 1 ? "1 task" : `${total} tasks`} on ${slots === 1 ? "1 slot" : `${slots} slots`}, journal ${database}${before}${others === 0 ? "" : `; ${others} unfinished tasks of other runs go on as well`}`;
};

/** Where nobody watches: a line when a task starts, is tried again, or ends. */
export const lineReporter = ({ out, error }: Streams): Reporter => ({
  begin: (beginning) => out(`${beginningText(beginning)}\n`),
  event: (event) => out(`${eventText(event)}\n`),
  notice: (text) => error(`${text}\n`),
  asking: () => {},
  tick: () => {},
  end: (summary) => out(`\n${summaryText(summary)}\n`),
});

/** On a terminal: one line that is drawn again and again; what went wrong stays above it. */
export const barReporter = ({ out, columns }: Streams): Reporter => {
  const clear = "\r\u001b[K";
  let bar = "";
  let isAsking = false;
  const above = (text: string) => out(isAsking ? `\n${text}\n` : `${clear}${text}\n${bar}`);
  return {
    begin: (beginning) => above(beginningText(beginning)),
    event: (event) => {
      if (event.event !== "started" && event.event !== "done") above(eventText(event));
    },
    notice: above,
    asking: (asks) => {
      isAsking = asks;
      bar = "";
      if (asks) out(clear);
    },
    tick: (tally, elapsedMs) => {
      const next = barText(tally, elapsedMs, columns());
      if (isAsking || next === bar) return;
      bar = next;
      out(`${clear}${bar}`);
    },
    end: (summary) => {
      out(`${isAsking ? "\n" : clear}${summaryText(summary)}\n`);
      bar = "";
    },
  };
};

/** For programs: one JSON object per line on standard output, the last one with `"event": "summary"`. */
export const jsonReporter = ({ out, error }: Streams): Reporter => ({
  begin: (beginning) => out(`${JSON.stringify({ event: "begin", ...beginning })}\n`),
  event: (event) => out(`${JSON.stringify(event)}\n`),
  notice: (text) => error(`${text}\n`),
  asking: () => {},
  tick: () => {},
  end: ({ tally, endedBefore, elapsedMs, failed }) => out(`${JSON.stringify({ event: "summary", ...tally, endedBefore, elapsedMs: Math.round(elapsedMs), tasks: failed })}\n`),
});

export const reporterFor = (streams: Streams, json: boolean): Reporter => (json ? jsonReporter(streams) : streams.isTerminal ? barReporter(streams) : lineReporter(streams));
