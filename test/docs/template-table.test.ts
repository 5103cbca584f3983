import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Model } from "../../lib/index.js";
import { ROOT } from "../support/paths.js";
import { templateTable } from "../support/template-table.js";
import { TEMPLATES } from "../support/templates.js";
import { vocabularyFile } from "../support/vocabularies.js";

const FILE = join(ROOT, "docs", "templates.md");
const [BEGIN, END] = ["<!-- table -->\n", "\n<!-- /table -->"];

// CRIA_WRITE_DOCS=1 npx jest test/docs/template-table writes it anew.
test("docs/templates.md says what works with which template, and nothing is silently wrong", async () => {
  const model = await Model.load(vocabularyFile("llama-bpe"), { vocabOnly: true });
  const table = await templateTable(model, TEMPLATES);
  await model.dispose();
  const page = readFileSync(FILE, "utf8");
  const from = page.indexOf(BEGIN) + BEGIN.length;
  const to = page.indexOf(END);
  if (process.env.CRIA_WRITE_DOCS === "1") {
    writeFileSync(FILE, page.slice(0, from) + table + page.slice(to));
  } else {
    expect(page.slice(from, to)).toBe(table);
  }
  expect(table).not.toMatch(/\| (?:wrong|lost) \|/);
});
