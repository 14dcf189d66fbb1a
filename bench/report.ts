/** One measured figure. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
};

/** Prints a table, or with `json` a line per figure: `{"name","value","unit"}`. */
export const report = (figures: ReadonlyArray<Figure>, json: boolean): void => {
  for (const { name, value, unit } of figures) {
    const rounded = value >= 100 ? Math.round(value) : Math.round(value * 1000) / 1000;
    console.log(json ? JSON.stringify({ name, value: rounded, unit }) : `${name.padEnd(36)} ${String(rounded).padStart(12)} ${unit}`);
  }
};
