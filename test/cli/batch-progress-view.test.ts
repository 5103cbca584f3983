import type { BatchProgress } from "../../lib/batch/batch-types.js";
import { progressText } from "../../lib/cli/terminal/batch-progress-view.js";

const PROGRESS: BatchProgress = {
  ...{ done: 100, skipped: 0, errors: 0, fraction: 0.25, milliseconds: 10_000 },
  ...{ promptTokens: 2000, cachedTokens: 500, completionTokens: 1000 },
};

test("tells lines, rates, what was cached, and the time that is left", () => {
  expect(progressText(PROGRESS)).toBe(
    "100 lines, 200 tokens/s in (25 % cached), 100 tokens/s out, 30 s left",
  );
});

test("lines of an earlier run took no time of this one", () => {
  // 20 lines in 10 seconds, and 300 to go.
  expect(progressText({ ...PROGRESS, skipped: 80 })).toMatch(/, 2 min 30 s left$/);
});

test("nothing is guessed where nothing is known, and errors are told", () => {
  const unknown = { ...PROGRESS, errors: 3, fraction: undefined };
  expect(progressText(unknown)).toMatch(/tokens\/s out, 3 errors$/);
  expect(progressText({ ...PROGRESS, skipped: 100 })).not.toMatch(/left/);
  expect(progressText({ ...PROGRESS, fraction: 1 })).not.toMatch(/left/);
});
