import type { Tally } from "./progress.ts";

const barWidth = 24;

/** One line of at most `columns` characters: a bar, the counts, the time since the run began. */
export const barText = ({ total, done, failed, cancelled, running, waiting }: Tally, elapsedMs: number, columns: number): string => {
  const ended = done + failed + cancelled;
  const filled = total === 0 ? barWidth : Math.floor((ended / total) * barWidth);
  const counts = [`${ended}/${total}`, `${done} done`, `${running} running`, ...(failed + cancelled > 0 ? [`${failed + cancelled} failed`] : []), `${waiting} waiting`, clock(elapsedMs)];
  return `${"█".repeat(filled)}${"░".repeat(barWidth - filled)} ${counts.join(" · ")}`.slice(0, Math.max(10, columns - 1));
};

const clock = (ms: number): string => {
  const seconds = Math.floor(ms / 1_000);
  const hours = Math.floor(seconds / 3_600);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${hours > 0 ? `${hours}:${two(Math.floor(seconds / 60) % 60)}` : Math.floor(seconds / 60)}:${two(seconds % 60)}`;
};
