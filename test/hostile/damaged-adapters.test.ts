import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeControlVector, writeLora } from "../support/adapters.js";
import { QUIET, runScript } from "../support/child.js";

const directory = mkdtempSync(join(tmpdir(), "cria-damaged-adapters-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("500 damaged adapters and control vectors are refused or work, and never end the process", async () => {
  writeLora(join(directory, "lora.gguf"), 1);
  writeControlVector(join(directory, "control.gguf"), 1);
  const end = await runScript("hostile/damaged-adapters.mjs", {
    args: [directory],
    deadline: 100_000,
  });
  expect(end).toEqual(QUIET);
}, 300_000);
