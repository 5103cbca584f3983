import { visible } from "./visible.js";

const LONGEST_VALUE = 72;

/** The first column to the left, figures to the right. Whatever a cell quotes, it is one line and changes nothing. */
export function columns(quoting: readonly (readonly string[])[]): string {
  const rows = quoting.map((row) => row.map(visible));
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join("");
}

/** Names and what they stand for, which may be quoted as well. */
export function table(quoting: readonly (readonly [string, string])[]): string {
  const rows = quoting.map(([name, value]) => [visible(name), visible(value)] as const);
  const width = rows.reduce((widest, [name]) => Math.max(widest, name.length), 0) + 2;
  return rows.map(([name, value]) => `${name.padEnd(width)}${value}\n`).join("");
}

/** On one line, so that a chat template does not push everything else off the screen. */
export function shortened(value: string): string {
  const line = visible(value);
  return line.length <= LONGEST_VALUE ? line : `${line.slice(0, LONGEST_VALUE - 1)}…`;
}
