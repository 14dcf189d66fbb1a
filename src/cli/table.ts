/** Columns under their titles, each as wide as its widest cell; the last one is cut at `width` where that is given. */
export const table = (titles: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>, width?: number): string => {
  const widths = titles.map((title, column) => rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), title.length));
  const line = (cells: ReadonlyArray<string>) => {
    const text = cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] as number)))
      .join("  ")
      .trimEnd();
    return width !== undefined && text.length > width ? `${text.slice(0, Math.max(1, width - 1))}…` : text;
  };
  return [titles, ...rows].map((cells) => `${line(cells)}\n`).join("");
};

/** Names and values, one pair per line, the values in one column; lines of a value beyond its first are indented. */
export const fields = (pairs: ReadonlyArray<readonly [name: string, value: string | undefined]>): string => {
  const shown = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  const width = Math.max(0, ...shown.map(([name]) => name.length)) + 2;
  return shown.map(([name, value]) => `${name.padEnd(width)}${value.replaceAll("\n", `\n${" ".repeat(width)}`)}\n`).join("");
};
