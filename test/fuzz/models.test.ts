import { runScript } from "../support/child.js";

test("mutated model files are refused or work, and never end or hold up the process", async () => {
  const end = await runScript("fuzz/models.mjs", {
    args: ["--count", "120", "--seed", "12"],
    deadline: 280_000,
  });
  expect(end).toMatchObject({ code: 0, signal: null, stderr: "" });
  expect(end.stdout).toMatch(/^120 files of seed 12: .*"works":\d+.* 0 failed$/m);
}, 300_000);
