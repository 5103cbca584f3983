// Pages as they stand: every one is listed, every link leads somewhere, every block is of a known kind.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { anchorsOf, blocksOf, linksOf, PAGES, readPage } from "../support/doc-pages.js";
import { ROOT } from "../support/paths.js";

const pages = PAGES.filter((page) => !["README.md", "docs/README.md"].includes(page));

test("docs/README.md lists each page once", () => {
  const listed = [...readPage("docs/README.md").matchAll(/^- \[[^\]]+\]\(([\w-]+\.md)\): \S/gm)];
  expect(listed.map(([, name]) => `docs/${name}`).sort()).toEqual([...pages].sort());
});

test.each(PAGES)("links of %s lead somewhere", (page) => {
  for (const { file, anchor } of linksOf(page)) {
    const path = join(ROOT, file);
    expect({ file, exists: existsSync(path) }).toEqual({ file, exists: true });
    if (anchor === "" || !file.endsWith(".md") || statSync(path).isDirectory()) continue;
    expect({ file, anchors: anchorsOf(readPage(file)) }).toEqual({
      file,
      anchors: expect.arrayContaining([anchor]),
    });
  }
});

/** What test/docs/docs.test.ts runs or parses, what is read here, and what is only shown. */
const LANGUAGES = ["js", "ts", "cjs", "sh", "json", "text"];

test.each(PAGES)("blocks of %s are of a known kind, and data is data", (page) => {
  const text = readPage(page);
  const blocks = blocksOf(text);
  expect(text.match(/^ *```/gm)?.length ?? 0).toBe(2 * blocks.length);
  for (const { language, code, line, notRun } of blocks) {
    expect({ line, known: LANGUAGES.includes(language) }).toEqual({ line, known: true });
    if (notRun !== undefined) expect(notRun.length).toBeGreaterThan(15); // a reason, not a word
    if (language === "json") expect(readJson(code)).toBe(true);
  }
});

/** One value, or one in each line. */
function readJson(code: string): boolean {
  try {
    JSON.parse(code);
  } catch {
    for (const line of code.trim().split("\n")) JSON.parse(line);
  }
  return true;
}
