import {
  BACKSLASH,
  COLON,
  COMMA,
  CURLY_CLOSE,
  CURLY_OPEN,
  isDigit,
  isQuote,
  isScalarPart,
  isSpace,
  isWord,
  NEWLINE,
  ROUND_CLOSE,
  ROUND_OPEN,
  SINGLE_QUOTE,
  SQUARE_CLOSE,
  SQUARE_OPEN,
} from "./characters.js";
import { decodeString, type Literal, type Members, type Scalar, scalarOf } from "./literal.js";
import { OutputFeed, type Reading } from "./output-feed.js";

/** Deeper values are not for use: nobody means them, and readers of the arguments may recurse. */
const MAX_DEPTH = 200;
/** What other languages have for numbers, and what only looks like one. */
const NO_NUMBER = /^(?:[-+.\d]|NaN$|Infinity$)/;
/** In its place. */
const UNREADABLE: Scalar = { json: "null" };

/** A bracket whose closing one is to come. */
interface Bracket {
  readonly close: number;
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
  constructor(feed: OutputFeed, language: "json" | "python", close?: number) {
    this.#feed = feed;
    this.#python = language === "python";
    if (close !== undefined) this.#opened(close);
  }

  /** Where reading failed, the members so far of the object that stands in no other. */
  get members(): Members | undefined {
    const object = this.#open.find(({ close }) => close === CURLY_CLOSE);
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
      const close = beginning === "" ? this.#closeOf(feed.code) : undefined;
      let value: Literal | undefined;
      if (close === undefined) {
        value = yield* this.#leaf(beginning);
        if (value === undefined) return undefined;
      } else {
        feed.skip();
        this.#opened(close);
        while (!feed.pass(isSpace)) yield;
        if (feed.code === close) value = this.#closed();
      }
      while (value !== undefined) {
        if (open.length === outside) return value;
        const outer = open.at(-1) as Bracket;
        if (outer.value instanceof Map) outer.value.set(outer.key, value);
        else outer.value.push(value);
        const separator = yield* this.separator(outer.close);
        if (separator === undefined) return undefined;
        value = feed.code === outer.close ? this.#closed(separator) : undefined;
      }
      const outer = open.at(-1) as Bracket;
      if (!(outer.value instanceof Map)) continue;
      const key = yield* this.#key();
      if (key === undefined) return undefined;
      outer.key = key;
    }
  }

  /** What comes behind an item, and the white space around it: a comma or the closing bracket, which is not read. */
  *separator(close: number): Reading<number | undefined> {
    const feed = this.#feed;
    while (!feed.pass(isSpace)) yield;
    const { code } = feed;
    if (code !== COMMA) return code === close ? code : undefined;
    feed.skip();
    while (!feed.pass(isSpace)) yield;
    return code;
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
      const { code } = feed;
      if (this.#python && isQuote(code)) {
        if ((yield* this.#string(true)) === undefined) return false;
      } else if (!this.#python && code === NEWLINE) {
        if (yield* feed.blankLine()) return false;
      } else {
        feed.skip();
        const close = this.#closeOf(code);
        if (close !== undefined) this.#opened(close);
        else if (this.#closes(code) && this.#open.pop()?.close !== code && this.#python)
          return false;
      }
    }
    return true;
  }

  #closeOf(code: number): number | undefined {
    if (code === CURLY_OPEN) return CURLY_CLOSE;
    if (code === SQUARE_OPEN) return SQUARE_CLOSE;
    return code === ROUND_OPEN && this.#python ? ROUND_CLOSE : undefined;
  }

  #closes(code: number): boolean {
    return code === CURLY_CLOSE || code === SQUARE_CLOSE || (code === ROUND_CLOSE && this.#python);
  }

  #opened(close: number): void {
    const value = close === CURLY_CLOSE ? new Map() : [];
    if (this.#open.push({ close, value, key: "" }) > MAX_DEPTH) this.readable = false;
  }

  /** In parentheses a value without a comma is that value. */
  #closed(separator?: number): Literal {
    this.#feed.skip();
    const { close, value } = this.#open.pop() as Bracket;
    if (close !== ROUND_CLOSE || separator === COMMA || value instanceof Map) return value;
    const [first, ...others] = value;
    return first === undefined || others.length > 0 ? value : first;
  }

  *#key(): Reading<string | undefined> {
    const feed = this.#feed;
    const { code } = feed;
    let key: string | undefined;
    if (isQuote(code)) key = yield* this.#string(false);
    else if (isDigit(code)) key = scalarOf(yield* feed.run(isScalarPart))?.json;
    if (key === undefined) return undefined;
    while (!feed.pass(isSpace)) yield;
    if (feed.code !== COLON) return undefined;
    feed.skip();
    while (!feed.pass(isSpace)) yield;
    return key;
  }

  /** A string or a scalar. */
  *#leaf(beginning: string): Reading<Literal | undefined> {
    const feed = this.#feed;
    let raw = false;
    if (!isQuote(feed.code) || beginning !== "") {
      const text = beginning || (yield* feed.run(isScalarPart));
      if (!this.#python || !isQuote(feed.code)) return this.#scalar(text);
      // b"…" is not text, and f"…" would have to be evaluated.
      if (!/^[rRuU]$/.test(text)) return undefined;
      raw = text.toLowerCase() === "r";
    }
    let value = yield* this.#string(true, raw);
    while (this.#python && value !== undefined && isQuote(yield* feed.next())) {
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
    const quote = feed.code;
    feed.skip();
    if (feed.dry) yield;
    let needed = 1;
    if (feed.code === quote) {
      feed.skip();
      if (feed.dry) yield;
      if (feed.code !== quote) return "";
      feed.skip();
      needed = 3;
    }
    const oneLine = needed === 1 && (!lines || quote === SINGLE_QUOTE);
    const isPlain = (code: number) =>
      code !== quote && code !== BACKSLASH && !(oneLine && code === NEWLINE);
    let body = "";
    for (let quotes = 0; quotes < needed; ) {
      const plain = yield* feed.run(isPlain);
      body += plain;
      if (feed.code === BACKSLASH) {
        feed.skip();
        body += `\\${yield* feed.char()}`;
        quotes = 0;
      } else if (feed.code === quote) {
        feed.skip();
        body += String.fromCharCode(quote);
        quotes = plain === "" ? quotes + 1 : 1;
        if (needed === 1 && quote === SINGLE_QUOTE && isWord(plain.charCodeAt(plain.length - 1))) {
          if (feed.dry) yield;
          if (isWord(feed.code)) quotes = 0;
        }
      } else {
        return undefined;
      }
    }
    body = body.slice(0, -needed);
    return raw ? body : decodeString(body, !this.#python);
  }
}
