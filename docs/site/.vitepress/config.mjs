import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { githubSlug } from "../github-slug.cjs";
import { pagesIn } from "./page-list.mjs";

const SITE = join(dirname(fileURLToPath(import.meta.url)), "..");
const DOCS = join(SITE, "..");
const ROOT = join(DOCS, "..");

// Where files that are no page of the site are to be seen. In a workflow that is known; elsewhere a link to
// them becomes plain text.
const { GITHUB_REPOSITORY, GITHUB_SERVER_URL = "https://github.com", GITHUB_SHA } = process.env;
const repository = GITHUB_REPOSITORY && `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`;

const icon = readFileSync(join(ROOT, "lib", "page", "public", "icon.svg"), "utf8");
const iconUrl = `data:image/svg+xml,${encodeURIComponent(icon)}`;

const groups = pagesIn(join(DOCS, "README.md"));
const referenceFile = join(DOCS, "reference", "typedoc-sidebar.json");
const reference = existsSync(referenceFile) ? JSON.parse(readFileSync(referenceFile, "utf8")) : [];

/** Links that lead out of docs/ are turned into the repository's, or into text. */
function outsideLinks(md) {
  const leads = (href, env) => {
    if (/^([a-z]+:|#|\/)/.test(href)) return undefined;
    const target = resolve(dirname(env.realPath ?? env.path), decodeURI(href.split("#")[0]));
    const inside = relative(DOCS, target);
    return inside.startsWith("..") ? relative(ROOT, target).split(sep).join("/") : undefined;
  };
  md.core.ruler.push("outside-links", ({ tokens, env }) => {
    for (const { children } of tokens) {
      let plain = 0;
      for (const token of children ?? []) {
        if (token.type === "link_open") {
          const file = leads(token.attrGet("href"), env);
          if (file === undefined) continue;
          if (repository)
            token.attrSet("href", `${repository}/blob/${GITHUB_SHA ?? "main"}/${file}`);
          else {
            Object.assign(token, { type: "text", tag: "", nesting: 0, content: "", attrs: null });
            plain++;
          }
        } else if (token.type === "link_close" && plain > 0) {
          Object.assign(token, { type: "text", tag: "", nesting: 0, content: "" });
          plain--;
        }
      }
    }
  });
}

const HOME = {
  layout: "home",
  hero: {
    name: "cria",
    text: "llama.cpp in your Node process",
    tagline: "As fast as llama.cpp itself, typed, and safe to embed in a server or a desktop app.",
    image: { src: iconUrl, alt: "A baby llama" },
    actions: [
      { theme: "brand", text: "Start", link: "/start" },
      { theme: "alt", text: "Choose a model", link: "/choosing-a-model" },
      { theme: "alt", text: "Reference", link: "/reference/" },
    ],
  },
  features: ["chat", "structured-output", "batch", "moderation", "server", "reliability"]
    .map((page) => groups.flatMap(({ items }) => items).find(({ link }) => link === `/${page}`))
    .map(({ text, link, about }) => ({
      title: text,
      details: about[0].toUpperCase() + about.slice(1).replaceAll("`", ""),
      link,
    })),
};

export default defineConfig({
  title: "cria",
  description: "llama.cpp inside your Node process: fast, typed, safe to embed",
  srcDir: "..",
  srcExclude: ["site/**"],
  outDir: join(ROOT, ".build", "docs"),
  cacheDir: join(ROOT, ".build", "docs-cache"),
  base: process.env.CRIA_DOCS_BASE ?? "/",
  rewrites: { "README.md": "index.md" },
  cleanUrls: true,
  head: [["link", { rel: "icon", href: iconUrl }]],
  // docs/README.md is a plain list on GitHub, and the first page here.
  transformPageData: ({ relativePath, frontmatter }) =>
    relativePath === "index.md" ? { frontmatter: { ...frontmatter, ...HOME } } : undefined,
  markdown: {
    config: outsideLinks,
    anchor: { slugify: githubSlug },
    languageAlias: { cjs: "js", jsonl: "json", gbnf: "txt" },
  },
  vite: { publicDir: false },
  themeConfig: {
    logo: iconUrl,
    nav: [
      { text: "Start", link: "/start" },
      { text: "API", link: "/api" },
      { text: "Reference", link: "/reference/" },
    ],
    sidebar: {
      "/reference/": [{ text: "Reference", link: "/reference/", items: reference }],
      "/": groups,
    },
    outline: [2, 3],
    search: { provider: "local" },
    ...(repository && { socialLinks: [{ icon: "github", link: repository }] }),
  },
});
