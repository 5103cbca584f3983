/**
 * Milliseconds of the processor that some work took: not those of the clock, which grow with whatever else
 * the machine does.
 */
export function processorTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
