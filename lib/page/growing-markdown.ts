import type { Token } from "markdown-it";
import { markdownNodes, parseMarkdown } from "./markdown-dom.js";
import { element } from "./page-elements.js";

/** One block longer than this is shown as it is: it would be read again with every piece that comes. */
const BLOCK_MAX = 100_000;
/** Reading takes at most this share of the time. */
const SHARE = 1 / 4;

/** Defines where a link leads, for links that may stand above it. */
const DEFINITION = /^ {0,3}\[[^\]\n]+\]:/m;

/**
 * Markdown that grows. Only its last block can change by what comes behind it, so that blocks in front of it are made
 * once; a definition of links, which can, is looked for at the end.
 */
export class GrowingMarkdown {
  readonly #root: HTMLElement;
  #text = "";
  /** Where the last block begins. */
  #settled = 0;
  /** What shows the last block. */
  #last: ChildNode[] = [];
  #frame: number | undefined;
  #notBefore = 0;

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  get text(): string {
    return this.#text;
  }

  add(text: string, onShown: (change: () => void) => void = (change) => change()): void {
    // A line ends by itself: without returns, lines are where the parser counts them.
    this.#text += text.replaceAll("\r", "");
    this.#frame ??= requestAnimationFrame((time) => this.#show(time, onShown));
  }

  /** Shows what there is, now. */
  finish(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    if (DEFINITION.test(this.#text)) {
      this.#settled = 0;
      this.#last = [];
      this.#root.replaceChildren();
    }
    this.#render();
  }

  #show(time: number, onShown: (change: () => void) => void): void {
    this.#frame = undefined;
    if (time < this.#notBefore) {
      this.#frame = requestAnimationFrame((next) => this.#show(next, onShown));
      return;
    }
    const began = performance.now();
    onShown(() => this.#render());
    this.#notBefore = time + (performance.now() - began) / SHARE;
  }

  #render(): void {
    for (const node of this.#last) node.remove();
    const rest = this.#text.slice(this.#settled);
    if (rest.length > BLOCK_MAX) {
      const plain = element("pre", "plain", rest);
      plain.tabIndex = 0;
      this.#last = [plain];
      this.#root.append(plain);
      return;
    }
    const tokens = parseMarkdown(rest);
    const begin = lastBlock(tokens);
    this.#root.append(markdownNodes(tokens.slice(0, begin)));
    const last = markdownNodes(tokens.slice(begin));
    this.#last = [...last.childNodes];
    this.#root.append(last);
    this.#settled += offsetOfLine(rest, tokens[begin]?.map?.[0] ?? 0);
  }
}

/** Where the last block of all begins among the tokens. */
function lastBlock(tokens: readonly Token[]): number {
  for (let i = tokens.length - 1; i >= 0; i--) {
    const token = tokens[i] as Token;
    if (token.level === 0 && token.nesting !== -1) return i;
  }
  return 0;
}

function offsetOfLine(text: string, line: number): number {
  let offset = 0;
  for (let i = 0; i < line; i++) offset = text.indexOf("\n", offset) + 1;
  return offset;
}
