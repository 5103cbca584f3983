import MarkdownIt, { type Token } from "markdown-it";
import { copyText, element } from "./page-elements.js";

/**
 * Markdown as elements, never by way of HTML: of what a model writes, texts become texts, and only the elements and
 * attributes that are made here exist. Markup in it is text, pictures are links, and links lead to the web alone.
 */
const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true });
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });

/** What opens and closes around other content, and the element that it becomes. */
const ELEMENTS: ReadonlyMap<string, keyof HTMLElementTagNameMap> = new Map([
  ...(["p", "ul", "ol", "li", "blockquote", "em", "strong", "s"] as const).map(
    (tag) => [tag, tag] as const,
  ),
  ...(["thead", "tbody", "tr", "th", "td"] as const).map((tag) => [tag, tag] as const),
  // Below the page's own headings.
  ...(["h1", "h2", "h3"] as const).map(
    (tag, i) => [tag, (["h3", "h4", "h5"] as const)[i]!] as const,
  ),
  ...(["h4", "h5", "h6"] as const).map((tag) => [tag, "h6"] as const),
]);

/** What reorders the text around it, and is not seen itself (Unicode's bidirectional controls). */
const BIDI = /([\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/u;

/** The blocks of a text. */
export function parseMarkdown(text: string): readonly Token[] {
  return markdown.parse(text, {});
}

/** @param tokens whole blocks */
export function markdownNodes(tokens: readonly Token[]): DocumentFragment {
  const made = document.createDocumentFragment();
  fill(made, tokens);
  return made;
}

function fill(root: ParentNode & Node, tokens: readonly Token[]): void {
  let parent: Node = root;
  const parents: Node[] = [];
  for (const token of tokens) {
    if (token.nesting === 1) {
      parents.push(parent);
      const { outer, inner } = opened(token);
      if (outer !== undefined) parent.appendChild(outer);
      parent = inner ?? parent;
    } else if (token.nesting === -1) {
      parent = parents.pop() ?? root;
    } else if (token.type === "inline") {
      fill(parent as HTMLElement, token.children ?? []);
    } else {
      parent.appendChild(leaf(token));
    }
  }
}

/** What is unknown, and the paragraphs of tight lists, have no element: what is in them goes to their parent. */
function opened(token: Token): { outer?: HTMLElement; inner?: HTMLElement } {
  if (token.hidden) return {};
  if (token.tag === "a") {
    const link = linkTo(token.attrGet("href"));
    return { outer: link, inner: link };
  }
  if (token.tag === "table") {
    const inner = element("table");
    const outer = element("div", "scroll", inner);
    outer.tabIndex = 0; // so that it can be scrolled without a mouse
    outer.setAttribute("role", "group");
    outer.setAttribute("aria-label", "Table");
    return { outer, inner };
  }
  const tag = ELEMENTS.get(token.tag);
  if (tag === undefined) return {};
  const made = element(tag);
  made.dir = "auto";
  if (tag === "ol") {
    const start = Number(token.attrGet("start") ?? 1);
    if (Number.isSafeInteger(start)) (made as HTMLOListElement).start = start;
  } else if (tag === "th" || tag === "td") {
    const align = /^text-align:(left|center|right)$/.exec(String(token.attrGet("style")))?.[1];
    if (align !== undefined) made.className = align;
  }
  return { outer: made, inner: made };
}

function leaf(token: Token): Node {
  switch (token.type) {
    case "text":
    case "text_special":
      return document.createTextNode(token.content);
    case "softbreak":
    case "hardbreak":
      return element("br");
    case "hr":
      return element("hr");
    case "code_inline":
      return codeElement(token.content);
    case "fence":
    case "code_block":
      return codeBlock(token.content, token.info.trim().split(/\s/, 1)[0] ?? "");
    case "image": {
      const link = linkTo(token.attrGet("src"));
      link.append(token.content === "" ? "picture" : token.content);
      return link;
    }
    default:
      return document.createTextNode(token.content);
  }
}

/** A link that leaves nothing behind, or, where it does not lead to the web, no link. */
function linkTo(href: string | number | null): HTMLElement {
  const url = typeof href === "string" && URL.canParse(href) ? new URL(href) : undefined;
  if (url === undefined || !["http:", "https:", "mailto:"].includes(url.protocol)) {
    return element("span", "dead-link");
  }
  const link = element("a");
  link.href = url.href;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  link.referrerPolicy = "no-referrer";
  link.title = url.href;
  return link;
}

/** Code as it is: what would reorder it on the screen is shown by its number. */
export function codeElement(text: string): HTMLElement {
  const code = element("code");
  code.dir = "ltr";
  for (const [i, piece] of text.split(BIDI).entries()) {
    if (i % 2 === 0) code.append(piece);
    else {
      const number = `U+${piece.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`;
      const mark = element("span", "control", number);
      mark.title = "A character that is not seen and reorders the text";
      code.append(mark);
    }
  }
  return code;
}

function codeBlock(content: string, language: string): HTMLElement {
  const text = content.replace(/\n$/, "");
  const shown = language.slice(0, 40);
  const copy = element("button", "quiet", "Copy");
  copy.type = "button";
  copy.setAttribute("aria-label", "Copy the code");
  copy.addEventListener("click", () => void copyText(text, copy));
  const pre = element("pre", "", codeElement(text));
  pre.tabIndex = 0; // so that it can be scrolled without a mouse
  pre.setAttribute("role", "group");
  pre.setAttribute("aria-label", shown === "" ? "Code" : `Code, ${shown}`);
  const head = element("figcaption", "", element("span", "", shown), copy);
  return element("figure", "code", head, pre);
}
