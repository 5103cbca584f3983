import {
  afterSpace,
  BACKSLASH,
  COLON,
  COMMA,
  CURLY_CLOSE,
  CURLY_OPEN,
  DOUBLE_QUOTE,
  isDigit,
  isScalarPart,
  isWord,
  NEWLINE,
  ROUND_CLOSE,
  ROUND_OPEN,
  SINGLE_QUOTE,
  SQUARE_CLOSE,
  SQUARE_OPEN,
} from "./characters.js";
import { jsonNumber } from "./json-number.js";
import { decodeString } from "./string-escapes.js";

/** Deeper values are not read: nobody means them, and readers of the arguments may recurse. */
const MAX_DEPTH = 200;

/** Keys in order. If a key is given twice, the last value counts, as for `JSON.parse`. */
export type Members = Map<string, Literal>;

/** Where an object stands in its source. */
type Span = readonly [start: number, end: number];

/** A value as the model wrote it; `scalar` is a number, boolean or null as JSON text. */
export type Literal =
  | { readonly kind: "object"; readonly members: Members; readonly span?: Span }
  | { readonly kind: "array"; readonly items: readonly Literal[] }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "scalar"; readonly text: string };

const WORDS: Readonly<Record<string, string>> = {
  true: "true",
  false: "false",
  null: "null",
  True: "true",
  False: "false",
  None: "null",
};

/** Compact JSON; numbers keep their digits. */
function toJson(literal: Literal): string {
  switch (literal.kind) {
    case "object":
      return membersToJson(literal.members);
    case "array":
      return `[${literal.items.map(toJson).join(",")}]`;
    case "string":
      return JSON.stringify(literal.value);
    default:
      return literal.text;
  }
}

export function membersToJson(members: Members): string {
  const parts: string[] = [];
  for (const [key, value] of members) parts.push(`${JSON.stringify(key)}:${toJson(value)}`);
  return `{${parts.join(",")}}`;
}

/** The value that `source` spells, apart from white space around it. */
export function readLiteral(source: string): Literal | undefined {
  const reader = new LiteralReader(source, false);
  const literal = reader.value();
  return literal !== undefined && reader.ended() ? literal : undefined;
}

/**
 * Reads JSON and Python literals from complete text. It never evaluates and never throws. Without
 * `python` it reads JSON as Python prints a dict, too: single quotes, `True`, trailing commas. With it
 * also tuples, raw strings and adjacent strings.
 */
export class LiteralReader {
  at = 0;
  /** The complete items of an outermost array, also if reading fails later. */
  items: readonly Literal[] = [];
  /** The members so far of the object in which reading failed: the outermost one, or an item. */
  open: { readonly at: number; readonly members: Members } | undefined;
  readonly #source: string;
  readonly #python: boolean;
  #openDepth = 0;

  constructor(source: string, python: boolean) {
    this.#source = source;
    this.#python = python;
  }

  ended(): boolean {
    this.space();
    return this.at >= this.#source.length;
  }

  space(): void {
    this.at = afterSpace(this.#source, this.at);
  }

  /** Undefined if there is no literal: then `at` has no meaning. */
  value(depth = 0): Literal | undefined {
    if (depth > MAX_DEPTH) return undefined;
    this.space();
    const code = this.#source.charCodeAt(this.at);
    switch (code) {
      case CURLY_OPEN:
        return this.#object(depth);
      case SQUARE_OPEN:
        return this.#array(depth, SQUARE_CLOSE);
      case ROUND_OPEN:
        return this.#python ? this.#array(depth, ROUND_CLOSE) : undefined;
      case DOUBLE_QUOTE:
      case SINGLE_QUOTE:
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #object(depth: number): Literal | undefined {
    const members: Members = new Map();
    const start = this.at;
    const outer = depth === this.#openDepth;
    if (outer) this.open = { at: start, members };
    this.at++;
    for (;;) {
      if (this.#take(CURLY_CLOSE)) break;
      const key = this.#key();
      if (key === undefined || !this.#take(COLON)) return undefined;
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      members.set(key, value);
      if (this.#take(COMMA)) continue;
      if (this.#take(CURLY_CLOSE)) break;
      return undefined;
    }
    if (outer) this.open = undefined;
    return { kind: "object", members, span: [start, this.at] };
  }

  #key(): string | undefined {
    this.space();
    const code = this.#source.charCodeAt(this.at);
    if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) {
      const string = this.#string();
      return string?.kind === "string" ? string.value : undefined;
    }
    const scalar = isDigit(code) || code === 0x2d ? this.#scalar() : undefined;
    return scalar?.kind === "scalar" ? scalar.text : undefined;
  }

  /** An array or a tuple; one value in parentheses is that value. */
  #array(depth: number, close: number): Literal | undefined {
    const items: Literal[] = [];
    if (depth === 0) {
      this.items = items;
      this.#openDepth = 1;
    }
    this.at++;
    for (;;) {
      if (this.#take(close)) break;
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      items.push(value);
      if (this.#take(COMMA)) continue;
      if (!this.#take(close)) return undefined;
      if (close === ROUND_CLOSE && items.length === 1) return value;
      break;
    }
    return { kind: "array", items };
  }

  /** In Python, adjacent strings are one. */
  #string(): Literal | undefined {
    let value = this.#oneString(false);
    while (this.#python && value !== undefined) {
      const before = this.at;
      this.space();
      if (!isQuote(this.#source.charCodeAt(this.at))) {
        this.at = before;
        break;
      }
      const next = this.#oneString(false);
      value = next === undefined ? undefined : value + next;
    }
    return value === undefined ? undefined : { kind: "string", value };
  }

  #oneString(raw: boolean): string | undefined {
    const source = this.#source;
    const quote = source.charCodeAt(this.at);
    const mark = source[this.at] as string;
    const triple = source.startsWith(mark.repeat(3), this.at);
    const start = this.at + (triple ? 3 : 1);
    let escaped = false;
    for (let at = start; at < source.length; at++) {
      const code = source.charCodeAt(at);
      if (code === BACKSLASH) {
        escaped = true;
        at++;
      } else if (code === quote) {
        if (triple ? !source.startsWith(mark.repeat(3), at) : this.#isApostrophe(at)) continue;
        this.at = at + (triple ? 3 : 1);
        const body = source.slice(start, at);
        const json = quote === DOUBLE_QUOTE && !this.#python;
        return escaped && !raw ? decodeString(body, json) : body;
      } else if (code === NEWLINE && quote === SINGLE_QUOTE && !triple) {
        return undefined;
      }
    }
    return undefined;
  }

  /** Between two letters a single quote ends no string: 'it's late'. */
  #isApostrophe(at: number): boolean {
    return (
      this.#source.charCodeAt(at) === SINGLE_QUOTE &&
      isWord(this.#source.charCodeAt(at - 1)) &&
      isWord(this.#source.charCodeAt(at + 1))
    );
  }

  #scalar(): Literal | undefined {
    const start = this.at;
    while (isScalarPart(this.#source.charCodeAt(this.at))) this.at++;
    const text = this.#source.slice(start, this.at);
    if (this.#python && isQuote(this.#source.charCodeAt(this.at))) return this.#prefixed(text);
    const json = Object.hasOwn(WORDS, text) ? WORDS[text] : jsonNumber(text);
    return json === undefined ? undefined : { kind: "scalar", text: json };
  }

  /** r"…" and u"…". b"…" is not text, and f"…" would have to be evaluated. */
  #prefixed(prefix: string): Literal | undefined {
    if (prefix !== "r" && prefix !== "R" && prefix !== "u" && prefix !== "U") return undefined;
    const value = this.#oneString(prefix === "r" || prefix === "R");
    return value === undefined ? undefined : { kind: "string", value };
  }

  /** Steps over white space and, if it comes next, over this character. */
  #take(code: number): boolean {
    this.space();
    if (this.#source.charCodeAt(this.at) !== code) return false;
    this.at++;
    return true;
  }
}

function isQuote(code: number): boolean {
  return code === DOUBLE_QUOTE || code === SINGLE_QUOTE;
}
