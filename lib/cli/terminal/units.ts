/** A count with its noun, which takes an "s" but for one. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

export function bytes(count: number): string {
  return scaled(count, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
}

export function amount(count: number): string {
  return scaled(count, 1000, ["", "K", "M", "B", "T"]).trimEnd();
}

function scaled(count: number, step: number, units: readonly string[]): string {
  let value = count;
  let unit = 0;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
