import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { build } from "tsup";
import { ROOT } from "../support/paths.js";

const LINES = 1_000_000;
const MEGABYTES = 150;

test("memory does not grow with the file, nor with what is resumed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cria-batch-"));
  try {
    await build({
      entry: { runner: join(ROOT, "lib/batch/run-batch.ts") },
      ...{ format: "esm", target: "node20", outDir: folder, outExtension: () => ({ js: ".mjs" }) },
      ...{ config: false, silent: true, splitting: false, noExternal: [/.*/] },
    });
    const runner = pathToFileURL(join(folder, "runner.mjs")).href;
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...[
        join(ROOT, "test/batch/batch-memory.mjs"),
        runner,
        join(folder, "out.jsonl"),
        String(LINES),
      ],
    ]);
    const { run, resumed, first, most } = JSON.parse(stdout);
    expect(run).toMatchObject({ done: LINES, errors: 0 });
    expect(resumed).toMatchObject({ done: LINES, skipped: LINES });
    expect((most - first) / 1024 ** 2).toBeLessThan(MEGABYTES);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 600_000);
