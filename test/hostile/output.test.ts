import { QUIET, runScript } from "../support/child.js";

test("nothing is written to stdout or stderr, whatever goes wrong", async () => {
  expect(await runScript("hostile/quiet.mjs")).toEqual(QUIET);
});

test("a log handler gets the engine's lines, and only while it is set", async () => {
  const end = await runScript("hostile/loud.mjs", { execArgv: ["--no-warnings"] });
  expect(end).toEqual(QUIET);
});
