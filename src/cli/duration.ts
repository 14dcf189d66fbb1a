const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const written = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;

/** The milliseconds of a number of seconds, or of a text like "500ms", "30s", "1.5m", "2h", "1d". Otherwise nothing. */
export const durationMs = (value: number | string): number | undefined => {
  const [, amount, unit] = (typeof value === "string" ? written.exec(value.trim()) : ["", String(value), "s"]) ?? [];
  const ms = Math.round(Number(amount) * (unitMs[unit ?? ""] ?? Number.NaN));
  return Number.isSafeInteger(ms) && ms > 0 ? ms : undefined;
};

/** A duration for people: "40 ms", "1.2 s", "3 min 5 s", "2 h 10 min", "4 d 3 h". */
export const durationText = (ms: number): string => {
  if (ms < 100) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${Number((ms / 1_000).toFixed(1))} s`;
  const seconds = Math.round(ms / 1_000);
  const two = (large: number, largeUnit: string, small: number, smallUnit: string) => `${large} ${largeUnit}${small === 0 ? "" : ` ${small} ${smallUnit}`}`;
  if (seconds < 3_600) return two(Math.floor(seconds / 60), "min", seconds % 60, "s");
  if (seconds < 86_400) return two(Math.floor(seconds / 3_600), "h", Math.floor((seconds % 3_600) / 60), "min");
  return two(Math.floor(seconds / 86_400), "d", Math.floor((seconds % 86_400) / 3_600), "h");
};
