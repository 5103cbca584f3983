import { join } from "node:path";
import { runNode } from "../support/child.js";
import { ROOT } from "../support/paths.js";

// The short part of the structured fuzzers, with a fixed seed; `npm run fuzz` runs them for long.
test.each(["options", "messages", "tool-calls", "batch-lines", "state-files"])(
  "%s of any kind are refused with a code or work",
  async (name) => {
    const args = [join(ROOT, "scripts", "fuzz.mjs"), "--short", "--only", name];
    const { code, stdout, stderr } = await runNode(args, { deadline: 560_000 });
    expect(stdout).toMatch(/^ok {4} .+: \d+ runs \(\d+ worked, \d+ refused\), seed 1\n$/);
    expect(stderr).toBe("");
    expect(code).toBe(0);
  },
  600_000,
);
