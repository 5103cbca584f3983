import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runNode } from "../support/child.js";
import { ROOT } from "../support/paths.js";

// That the measurement itself works: its data are not in the repository.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-schema-bench-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const city = {
  type: "object",
  properties: { city: { type: "string", maxLength: 4 }, big: { type: "boolean" } },
  required: ["city"],
  additionalProperties: false,
};
const ROWS = [
  {
    name: "city",
    schema: city,
    // Another order than the schema's, in which a grammar has it.
    tests: [
      { valid: true, data: { big: true, city: "Lima" } },
      { valid: false, data: { city: "Lisbon" } },
    ],
  },
  { name: "any items", schema: { type: "array", uniqueItems: true }, tests: [] },
  { name: "one", schema: { enum: [1, "a"] }, tests: [{ valid: true, data: "a" }] },
];
/** Said to be invalid, though it is not. */
const WRONG = { name: "wrong", schema: { const: 1 }, tests: [{ valid: false, data: 1 }] };

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}
const rows = (name: string, all: readonly object[]) =>
  write(name, all.map((row) => `${JSON.stringify(row)}\n`).join(""));
const suite = (name: string, files: object) => write(name, JSON.stringify(files));

async function bench(...args: readonly string[]) {
  const { code, stdout, stderr } = await runNode([join(ROOT, "bench", "schema.mjs"), ...args]);
  return { code, stderr, stdout };
}

test("instances: what is right, refused and taken is counted; what is taken fails", async () => {
  const right = await bench(await rows("right.jsonl", ROWS));
  expect(right).toMatchObject({ code: 0, stderr: "" });
  expect(right.stdout).toMatch(/^MaskBench, 3 schemas\n {2}wholly right {6}2 \(66\.7 %\)/);
  expect(right.stdout).toMatch(
    /refused +1 \(33\.3 %\)\n +invalid taken +0 of 1\n +valid refused +0 of 2/,
  );
  expect(right.stdout).toContain("1 uniqueItems is left: no grammar can compare items");
  const wrong = await bench(await rows("wrong.jsonl", [...ROWS, WRONG]), "--verbose");
  expect(wrong).toMatchObject({ code: 1, stderr: "" });
  expect(wrong.stdout).toContain("TAKEN wrong");
  expect(wrong.stdout).toContain("refused any items #/uniqueItems");
});

test("texts from the grammars are judged", async () => {
  const { code, stdout, stderr } = await bench("--texts", "60", await rows("texts.jsonl", ROWS));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/grammars +2\n/);
  expect(stdout).toMatch(/texts +60, and 0 given up, too long\n +invalid +0\n/);
});

test("generations are judged, too", async () => {
  const asked = ["--generations", "6", "--max-tokens", "60"];
  const { code, stdout, stderr } = await bench(...asked, await rows("forced.jsonl", ROWS));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/schemas +2, of 2 something came whole\n/);
  expect(stdout).toMatch(/invalid +0\n/);
});

test("the test suite becomes a table by keyword, in the page of the docs", async () => {
  const group = (schema: unknown, ...tests: object[]) => ({ description: "x", schema, tests });
  const instance = (valid: boolean, data: unknown) => ({ description: "y", valid, data });
  const old = await suite("suite.draft7.json", {
    const: [group({ const: { a: 1, b: 2 } }, instance(true, { b: 2, a: 1 }), instance(false, 1))],
    uniqueItems: [group({ uniqueItems: true }), group({ maxItems: 1 }, instance(true, [1]))],
  });
  const recent = await suite("suite.draft2020-12.json", {
    anchor: [
      group({ $defs: { a: { $anchor: "x", type: "null" } }, $ref: "#x" }, instance(true, null)),
    ],
    const: [group({ const: 1 }, instance(true, 1))],
  });
  const page = await write("page.md", "# Page\n<!-- keywords -->\nold\n<!-- /keywords -->\nrest\n");
  const both = ["--suite", old, "--suite", recent];
  const written = await bench(...both, "--docs", page);
  expect(written).toMatchObject({ code: 0, stderr: "" });
  expect(written.stdout).toContain("JSON-Schema-Test-Suite, draft7\n");
  const table = [
    "| Keyword | Draft 7 | Draft 2020-12 | Refused |",
    "| --- | --- | --- | --- |",
    "| `anchor` |  | 1 of 1 |  |",
    "| `const` | 1 of 1, 1 of 1 valid instances missed | 1 of 1 |  |",
    "| `uniqueItems` | 1 of 2 |  | no grammar can compare items |",
    "| **all** | 2 of 3, 1 of 2 valid instances missed | 2 of 2 |  |",
  ].join("\n");
  expect(await readFile(page, "utf8")).toBe(
    `# Page\n<!-- keywords -->\n${table}\n<!-- /keywords -->\nrest\n`,
  );
  expect((await bench(...both, "--markdown")).stdout).toBe(`\n${table}\n`);
  const taken = await suite("taken.json", { const: [group({ const: 1 }, instance(false, 1))] });
  const failed = await bench("--suite", taken, "--markdown");
  expect(failed.code).toBe(1);
  expect(failed.stdout).toContain("**1 invalid instances taken**");
});

test("the page of the docs has a table, of which no cell says that something invalid was taken", async () => {
  const page = await readFile(join(ROOT, "docs", "structured-output.md"), "utf8");
  const table = page.slice(page.indexOf("<!-- keywords -->"), page.indexOf("<!-- /keywords -->"));
  expect(table.split("\n").length).toBeGreaterThan(50);
  expect(table).toMatch(/^\| \*\*all\*\* \| \d+ of 257, .* \| \d+ of 383, /m);
  expect(table).not.toMatch(/taken/);
});
