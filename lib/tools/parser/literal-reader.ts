import { decodeString, type Literal, type Members, type Scalar, scalarOf } from "./literal.js";
import { OutputFeed, type Reading } from "./output-feed.js";

/** Deeper values are not for use: nobody means them, and readers of the arguments may recurse. */
const MAX_DEPTH = 200;
const CLOSING: Readonly<Record<string, string>> = { "{": "}", "[": "]", "(": ")" };
const SCALAR = /[\w\u0080-\uffff.+-]*/y;
const DIGITS = /\d*/y;
const WORD = /[\w\u0080-\uffff]$/;
/** What other languages have for numbers, and what only looks like one. */
const NO_NUMBER = /^(?:[-+.\d]|NaN$|Infinity$)/;
/** In its place. */
const UNREADABLE: Scalar = { json: "null" };
/** What stands in strings as it is, by their quotes. */
const PLAIN: Readonly<Record<string, RegExp>> = { '"': /[^"\\]*/y, "'": /[^'\\]*/y };
const PLAIN_LINE: Readonly<Record<string, RegExp>> = { '"': /[^"\\\n]*/y, "'": /[^'\\\n]*/y };

/** A bracket whose closing one is to come. */
interface Bracket {
  readonly close: string;
  readonly value: Members | Literal[];
  key: string;
}

/** The value that `text` spells, apart from white space around it. */
export function readLiteral(text: string): Literal | undefined {
  const feed = new OutputFeed();
  feed.add(text);
  feed.end();
  const step = wholeLiteral(feed).next();
  return step.done === true ? step.value : undefined;
}

function* wholeLiteral(feed: OutputFeed): Reading<Literal | undefined> {
  const reader = new LiteralReader(feed, "json");
  yield* feed.next();
  const value = yield* reader.value();
  yield* feed.next();
  return feed.over && reader.readable ? value : undefined;
}

/**
 * Reads JSON and Python literals as they come in. It never evaluates and never throws. As `json` it reads what
 * Python prints of a dict, too: single quotes, `True`, trailing commas; as `python` also tuples, raw strings and
 * adjacent strings.
 */
export class LiteralReader {
  /** Whether what was read can be used. If not, at least its end is found. */
  readable = true;
  readonly #feed: OutputFeed;
  readonly #python: boolean;
  readonly #open: Bracket[] = [];

  /** @param close what closes the bracket that has been read before, if any */
  constructor(feed: OutputFeed, language: "json" | "python", close?: string) {
    this.#feed = feed;
    this.#python = language === "python";
    if (close !== undefined) this.#opened(close);
  }

  /** Where reading failed, the members so far of the object that stands in no other. */
  get members(): Members | undefined {
    const object = this.#open.find(({ close }) => close === "}");
    return object?.value instanceof Map ? object.value : undefined;
  }

  /**
   * Reads a value; undefined if there is none, of which some may have been read.
   *
   * @param word its beginning, where that was read already
   */
  *value(word = ""): Reading<Literal | undefined> {
    const feed = this.#feed;
    const open = this.#open;
    const outside = open.length;
    for (let beginning = word; ; beginning = "") {
      const close = beginning === "" ? this.#closeOf(feed.char) : undefined;
      let value: Literal | undefined;
      if (close === undefined) {
        value = yield* this.#leaf(beginning);
        if (value === undefined) return undefined;
      } else {
        feed.skip();
        this.#opened(close);
        while (!feed.space()) yield;
        if (feed.char === close) value = this.#closed();
      }
      while (value !== undefined) {
        if (open.length === outside) return value;
        const outer = open.at(-1) as Bracket;
        if (outer.value instanceof Map) outer.value.set(outer.key, value);
        else outer.value.push(value);
        while (!feed.space()) yield;
        const comma = feed.char === ",";
        if (comma) {
          feed.skip();
          while (!feed.space()) yield;
        } else if (feed.char !== outer.close) {
          return undefined;
        }
        value = feed.char === outer.close ? this.#closed(comma) : undefined;
      }
      const outer = open.at(-1) as Bracket;
      if (!(outer.value instanceof Map)) continue;
      const isString = feed.char in PLAIN;
      const key = isString ? yield* this.#string(this.#python) : yield* feed.run(DIGITS);
      if (key === undefined || (key === "" && !isString)) return undefined;
      while (!feed.space()) yield;
      if (feed.char !== ":") return undefined;
      feed.skip();
      while (!feed.space()) yield;
      outer.key = key;
    }
  }

  /**
   * Goes on from where reading failed to where the brackets balance. In JSON only brackets count, since the quotes may
   * be what is wrong, and no further than to a blank line.
   */
  *skip(): Reading<boolean> {
    const feed = this.#feed;
    while (this.#open.length > 0) {
      if (feed.dry) yield;
      if (feed.over) return false;
      const { char } = feed;
      if (this.#python && char in PLAIN) {
        if ((yield* this.#string(true)) === undefined) return false;
      } else if (!this.#python && char === "\n") {
        if (yield* feed.blankLine()) return false;
      } else {
        feed.skip();
        const close = this.#closeOf(char);
        if (close !== undefined) this.#opened(close);
        else if (char === "}" || char === "]" || (char === ")" && this.#python)) {
          if (this.#open.pop()?.close !== char && this.#python) return false;
        }
      }
    }
    return true;
  }

  #closeOf(char: string): string | undefined {
    return char === "(" && !this.#python ? undefined : CLOSING[char];
  }

  #opened(close: string): void {
    const value = close === "}" ? new Map() : [];
    if (this.#open.push({ close, value, key: "" }) > MAX_DEPTH) this.readable = false;
  }

  /** In parentheses a value without a comma is that value. */
  #closed(comma = false): Literal {
    this.#feed.skip();
    const { close, value } = this.#open.pop() as Bracket;
    if (close !== ")" || comma || value instanceof Map) return value;
    const [first, ...others] = value;
    return first === undefined || others.length > 0 ? value : first;
  }

  /** A string or a scalar. */
  *#leaf(beginning: string): Reading<Literal | undefined> {
    const feed = this.#feed;
    let raw = false;
    if (beginning !== "" || !(feed.char in PLAIN)) {
      const text = beginning || (yield* feed.run(SCALAR));
      if (!this.#python || !(feed.char in PLAIN)) return this.#scalar(text);
      // b"…" is not text, and f"…" would have to be evaluated.
      if (!/^[ru]$/i.test(text)) return undefined;
      raw = /r/i.test(text);
    }
    let value = yield* this.#string(true, raw);
    while (this.#python && value !== undefined && (yield* feed.next()) in PLAIN) {
      const next = yield* this.#string(true);
      value = next === undefined ? undefined : value + next;
    }
    return value;
  }

  #scalar(text: string): Scalar | undefined {
    const scalar = scalarOf(text);
    if (scalar !== undefined || this.#python || !NO_NUMBER.test(text)) return scalar;
    this.readable = false;
    return UNREADABLE;
  }

  /** @param lines whether it may hold line feeds; never in single quotes, which prose is full of */
  *#string(lines: boolean, raw = false): Reading<string | undefined> {
    const feed = this.#feed;
    const quote = feed.char;
    feed.skip();
    if (feed.dry) yield;
    let needed = 1;
    if (feed.char === quote) {
      feed.skip();
      if (feed.dry) yield;
      if (feed.char !== quote) return "";
      feed.skip();
      needed = 3;
    }
    const oneLine = needed === 1 && (!lines || quote === "'");
    const characters = (oneLine ? PLAIN_LINE : PLAIN)[quote] as RegExp;
    let body = "";
    for (let quotes = 0; ; ) {
      let plain = feed.read(characters);
      while (feed.dry) {
        yield;
        plain += feed.read(characters);
      }
      const { char } = feed;
      if (char !== quote && char !== "\\") return undefined;
      feed.skip();
      body += plain;
      if (char === quote) {
        quotes = plain === "" ? quotes + 1 : 1;
        if (feed.dry && quote === "'") yield;
        // 'it's late'
        const isApostrophe =
          needed === 1 && quote === "'" && WORD.test(plain) && WORD.test(feed.char);
        if (quotes === needed && !isApostrophe) break;
        body += char;
      } else {
        if (feed.dry) yield;
        if (feed.over) return undefined;
        body += char + feed.char;
        feed.skip();
        quotes = 0;
      }
    }
    if (needed === 3) body = body.slice(0, -2);
    return raw ? body : decodeString(body, !this.#python);
  }
}
