import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cria, DEMO_MODEL } from "../support/cli.js";
import { writeBert } from "../support/tiny-models.js";

const folder = mkdtempSync(join(tmpdir(), "cria-vectors-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("embed gives a line for each text, in order, of length 1", async () => {
  const { code, stdout } = await cria(["embed", DEMO_MODEL, "--json"], "a llama\n\na cria\n");
  const lines = stdout.trimEnd().split("\n");
  const rows = lines.map((line) => JSON.parse(line));
  expect(code).toBe(0);
  expect(rows).toMatchObject([
    { index: 0, line: 1 },
    { index: 1, line: 3 },
  ]);
  for (const { embedding } of rows) expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
});

test("rank orders documents, and refuses what is no reranker", async () => {
  const reranker = join(folder, "rank.gguf");
  writeBert(reranker, { pooling: 4, ranks: true });
  const ranked = await cria(["rank", reranker, "llama", "a cria", "mountains", "--json"]);
  const { results } = JSON.parse(ranked.stdout);
  expect(results).toHaveLength(2);
  expect(results[0].score).toBeGreaterThanOrEqual(results[1].score);
  const refused = await cria(["rank", DEMO_MODEL, "llama", "a cria", "--json"]);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(JSON.parse(refused.stderr)).toMatchObject({ code: "ERR_UNSUPPORTED" });
});

test("a missing file is its system's code", async () => {
  writeFileSync(join(folder, "there"), "");
  const { stderr } = await cria(["embed", DEMO_MODEL, "-i", join(folder, "nowhere"), "--json"]);
  expect(JSON.parse(stderr).code).toBe("ENOENT");
});
