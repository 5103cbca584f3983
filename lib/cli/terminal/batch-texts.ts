import type { BatchProgress, BatchSummary } from "../../batch/batch-types.js";

/** How far a run is, and how long it will take. */
export function progressText(progress: BatchProgress): string {
  const { done, skipped, milliseconds, fraction } = progress;
  const parts = [linesText(done), ...spent(progress)];
  // What was there before took no time.
  if (fraction !== undefined && fraction < 1 && done > skipped) {
    const left = (done * (1 - fraction)) / fraction;
    parts.push(`${duration((milliseconds / (done - skipped)) * left)} left`);
  }
  return parts.join(", ");
}

/** The last line of a run. */
export function summaryText(summary: BatchSummary): string {
  const { done, skipped, milliseconds } = summary;
  const earlier = skipped > 0 ? ` (${skipped} from before)` : "";
  const time = `${linesText(done)}${earlier} in ${duration(milliseconds)}`;
  return [time, ...spent(summary)].join(", ");
}

function linesText(count: number): string {
  return `${count} ${count === 1 ? "line" : "lines"}`;
}

function spent(progress: Omit<BatchProgress, "fraction">): string[] {
  const { errors, promptTokens, cachedTokens, completionTokens, milliseconds } = progress;
  const rate = (tokens: number) => Math.round((tokens * 1000) / Math.max(milliseconds, 1));
  const cached = promptTokens > 0 ? Math.round((cachedTokens * 100) / promptTokens) : 0;
  return [
    `${rate(promptTokens)} tokens/s in (${cached} % cached)`,
    `${rate(completionTokens)} tokens/s out`,
    ...(errors > 0 ? [`${errors} errors`] : []),
  ];
}

function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
