// Which pages there are, in which order and groups: docs/README.md says it, for the site as for GitHub.

import { readFileSync } from "node:fs";

/** `[{ text, items: [{ text, link, about }] }]` of a page whose sections are lists of links. */
export function pagesOf(markdown) {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      text: section.slice(0, section.indexOf("\n")),
      items: [...section.matchAll(/^- \[([^\]]+)\]\(([\w-]+)\.md\): (.*(?:\n {2}.*)*)/gm)].map(
        ([, text, page, about]) => ({ text, link: `/${page}`, about: about.replace(/\s+/g, " ") }),
      ),
    }));
}

export const pagesIn = (file) => pagesOf(readFileSync(file, "utf8"));
