const CELLS = 24;
/** Beside the bar a narrow terminal has no room for the words. */
const LEAST_COLUMNS = 50;

/** What a terminal is known to show; others get ASCII. */
export function showsUnicode(env: NodeJS.ProcessEnv = process.env): boolean {
  if (process.platform === "win32") return env.WT_SESSION !== undefined;
  // As setlocale() chooses: the first that is set and not empty.
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || "";
  return /utf-?8/i.test(locale) && env.TERM !== "linux";
}

/** Such as `██████░░░░░░░░░░░░░░░░░░ 25 %`; without a bar where there is no room for one. */
export function progressBar(
  fraction: number,
  {
    unicode = showsUnicode(),
    columns = 80,
  }: { unicode?: boolean; columns?: number | undefined } = {},
): string {
  const share = Math.min(Math.max(fraction, 0), 1);
  const percent = `${Math.round(share * 100)} %`;
  if (columns < LEAST_COLUMNS) return percent;
  const [done, open] = unicode ? ["█", "░"] : ["#", "."];
  const cells = Math.round(share * CELLS);
  return `${done.repeat(cells)}${open.repeat(CELLS - cells)} ${percent}`;
}
