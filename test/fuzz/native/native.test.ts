import { readdirSync } from "node:fs";
import { join } from "node:path";
import { runNode } from "../../support/child.js";
import { ROOT } from "../../support/paths.js";

const fuzzers = readdirSync(__dirname).flatMap(
  (file) => /^(.+)-fuzzer\.cpp$/.exec(file)?.[1] ?? [],
);

// A short part with a fixed seed. Built by clang alone, so it runs with scripts/sanitize.mjs.
test.each(fuzzers)(
  "the fuzzer of %s finds nothing",
  async (name) => {
    const args = [join(ROOT, "scripts", "fuzz.mjs"), "--short", "--only", name];
    const { code, stdout } = await runNode(args, { deadline: 300_000, env: { LD_PRELOAD: "" } });
    expect(stdout).toMatch(/^ok {4} .+: [1-9]\d* runs, seed 1\n$/);
    expect(code).toBe(0);
  },
  310_000,
);
