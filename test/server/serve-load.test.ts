// A short form of serve-load.mjs, whose long form runs for minutes.
import { runScript } from "../support/child.js";

test.each([
  ["64 clients that read, go, are slow, and send what they should not", []],
  ["bodies, forms and heads of any kind", ["--fuzz", "--clients", "8"]],
])("%s", async (_, more) => {
  const { code, stdout, stderr } = await runScript("server/serve-load.mjs", {
    args: ["--requests", "250", "--seed", "7", ...more],
    execArgv: ["--expose-gc"],
  });
  expect([code, stderr]).toEqual([0, ""]);
  const { outcomes, failures, broke, lost, left, heapMegabytes } = JSON.parse(stdout);
  expect({ failures, broke, lost }).toEqual({ failures: [], broke: [], lost: 0 });
  expect(left).toMatchObject({ running: 0, waiting: 0 });
  const counts = Object.values(outcomes).flatMap((kind) => Object.values(kind as object));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(250);
  expect(heapMegabytes.after - heapMegabytes.before).toBeLessThan(16);
});
