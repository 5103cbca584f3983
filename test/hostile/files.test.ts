import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QUIET, runScript } from "../support/child.js";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-hostile-"));
});
afterAll(() => rm(directory, { recursive: true }));

test.each(["truncated", "header", "metadata", "names", "tensors"])(
  "models with damaged %s are refused or work, and never end the process",
  async (kind) => {
    const end = await runScript("hostile/files.mjs", {
      args: [directory, kind],
      deadline: 100_000,
    });
    expect(end).toEqual(QUIET);
  },
  300_000,
);
