// README.md and docs/*.md as tests read them: code blocks, links, headings.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { githubSlug } from "../../docs/site/github-slug.cjs";
import { ROOT } from "./paths.js";

export interface Block {
  readonly language: string;
  readonly line: number;
  readonly code: string;
  /** Why nobody runs it, as `<!-- not run: … -->` before it says. */
  readonly notRun: string | undefined;
}

export const PAGES = [
  "README.md",
  ...readdirSync(join(ROOT, "docs")).flatMap((name) =>
    name.endsWith(".md") ? `docs/${name}` : [],
  ),
];

export const readPage = (page: string): string => readFileSync(join(ROOT, page), "utf8");

/** A fence may be indented in a list, and may follow the reason why it is not run. */
const FENCED = /(?:^<!-- not run: ([^\n]+?) -->\n\n?)?^( *)```(\w*)\n([\s\S]*?)^\2```$/gm;

export function blocksOf(text: string): Block[] {
  return [...text.matchAll(FENCED)].map((match) => {
    const [whole, notRun, indent = "", language = "", code = ""] = match;
    const before = text.slice(0, match.index + whole.indexOf("```"));
    return {
      language,
      code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      line: before.split("\n").length,
      notRun,
    };
  });
}

const outsideCode = (text: string): string => text.replaceAll(FENCED, "");

/** What stands between backticks in the running text. */
export function inlineCode(text: string): string[] {
  return [...outsideCode(text).matchAll(/`([^`]+)`/g)].map(([, code = ""]) =>
    code.replaceAll(/\s+/g, " "),
  );
}

/** The anchors of a page's headings, as GitHub numbers equal ones. */
export function anchorsOf(text: string): string[] {
  const counts = new Map<string, number>();
  return [...outsideCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => {
    const slug = githubSlug(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1"));
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

/** Links within the repository: the file from its root, and the anchor. */
export function linksOf(page: string): { readonly file: string; readonly anchor: string }[] {
  const targets = outsideCode(readPage(page))
    .replaceAll(/`[^`]*`/g, "code")
    .matchAll(/\]\(([^)\s]+)\)/g);
  return [...targets].flatMap(([, target = ""]) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [path = "", anchor = ""] = target.split("#");
    return { file: path === "" ? page : normalize(join(dirname(page), path)), anchor };
  });
}
