import type { CallableTools } from "./callable-tools.js";
import {
  BACKTICK,
  beforeSpace,
  COMMA,
  CURLY_OPEN,
  isNameStart,
  isScalarPart,
  isSpace,
  LESS,
  NEWLINE,
  SEMICOLON,
  SQUARE_CLOSE,
  SQUARE_OPEN,
} from "./characters.js";
import { codeCall, END_TOKENS, splitEndTokens } from "./code-calls.js";
import type { Calls, Outcome } from "./found-calls.js";
import { FUNCTION_CLOSE, FUNCTION_TAG, functionTagCall } from "./function-tag-calls.js";
import { JsonCalls } from "./json-calls.js";
import { Ledger, type Piece } from "./ledger.js";
import { OutputFeed, type Reading } from "./output-feed.js";
import { PythonCalls } from "./python-calls.js";

const PYTHON_TAG = "<|python_tag|>";
const TAGS = [...END_TOKENS, PYTHON_TAG, FUNCTION_TAG, FUNCTION_CLOSE];
const MIN_FENCE = 3;

/**
 * Splits a model's output into calls, content and syntax. Text that turns out not to be a call is not searched
 * again.
 */
export class OutputSplitter {
  readonly #tools: CallableTools;
  readonly #ledger = new Ledger();
  readonly #feed = new OutputFeed();
  readonly #reading: Reading<void>;
  /** Behind `<|python_tag|>`, where anything that is not a call is code. */
  #tagged = false;
  /** Between backticks on a line. It ends with the line. */
  #inline = false;
  /** The length of the backticks that opened a fence. It is quoted once it holds anything but calls. */
  #fence = 0;
  /** Whether what is being read cannot become a call any more. */
  #isData = false;
  readonly #hasNone = () => {
    this.#isData = true;
  };
  #cutOff = false;

  constructor(tools: CallableTools) {
    this.#tools = tools;
    this.#reading = this.#read();
  }

  push(chunk: string): Piece[] {
    if (chunk === "") return [];
    this.#feed.add(chunk);
    this.#reading.next();
    // Behind the tag it may be code, though.
    if (this.#isData && !this.#tagged) this.#text(this.#feed.take());
    return this.#ledger.take();
  }

  finish(cutOff = false): Piece[] {
    this.#cutOff = cutOff;
    this.#feed.end();
    this.#reading.next();
    this.#ledger.end();
    return this.#ledger.take();
  }

  *#read(): Reading<void> {
    const feed = this.#feed;
    for (;;) {
      const space = feed.stretch(isSpace);
      if (space !== "") this.#space(space);
      if (feed.dry) {
        yield;
        continue;
      }
      if (feed.over) return;
      const candidate = this.#candidate(feed.code);
      const outcome = candidate === undefined ? this.#plain() : yield* candidate;
      this.#isData = false;
      if (outcome === undefined) continue;
      if (typeof outcome === "object" && this.#tools.count(outcome.calls)) this.#calls(outcome);
      else if (this.#tagged && outcome !== "text") yield* this.#valueOrCode(outcome !== "other");
      else this.#text(feed.take());
    }
  }

  #space(space: string): void {
    if (space.includes("\n")) this.#inline = false;
    this.#ledger.pend("space", this.#feed.take());
  }

  /** In quotations nothing counts but the end of the output. */
  get #quoted(): boolean {
    return this.#inline || (this.#fence > 0 && !this.#ledger.inFence);
  }

  /** Reads what may be a call, or syntax: then there is no outcome. Undefined if it is text. */
  #candidate(code: number): Reading<Outcome | undefined> | undefined {
    if (code === LESS) return this.#angle();
    if (code === BACKTICK && !this.#tagged) return this.#backticks();
    if (this.#quoted) return undefined;
    const tools = this.#tools;
    if (code === CURLY_OPEN) return new JsonCalls(this.#feed, tools, this.#hasNone).object();
    if (code === SQUARE_OPEN) return this.#bracket();
    if (!this.#tagged && !(this.#ledger.fresh && tools.mayBegin(code))) return undefined;
    return new PythonCalls(this.#feed, tools, this.#tagged).bare();
  }

  *#bracket(): Reading<Outcome> {
    const feed = this.#feed;
    const { fresh, spaced } = this.#ledger;
    feed.skip();
    if (!isNameStart(yield* feed.next())) {
      return yield* new JsonCalls(feed, this.#tools, this.#hasNone, SQUARE_CLOSE).array();
    }
    if (!fresh && !spaced && !this.#tagged) return "other";
    return yield* new PythonCalls(feed, this.#tools, fresh && !this.#tagged).list();
  }

  /** Reads a stretch of text, or a separator. */
  #plain(): undefined {
    const feed = this.#feed;
    const { code } = feed;
    feed.skip();
    if ((code === COMMA || code === SEMICOLON) && this.#ledger.separable) {
      this.#ledger.pend("separator", feed.take());
    } else {
      feed.stretch(isPlain);
      this.#text(feed.take());
    }
  }

  #calls({ calls, length }: Calls): void {
    this.#ledger.calls(this.#feed.take(length), calls);
    this.#text(this.#feed.take());
  }

  #text(source: string): void {
    const [text, tokens] = this.#feed.over ? splitEndTokens(source) : [source, []];
    const end = beforeSpace(text);
    this.#ledger.text(text.slice(0, end));
    this.#ledger.pend("space", text.slice(end));
    for (const token of tokens) this.#ledger.pend("end", token);
    this.#tagged = false;
  }

  /** A JSON value alone on its line is an answer; one that goes on is code, as anything else. */
  *#valueOrCode(isJson: boolean): Reading<void> {
    const feed = this.#feed;
    let isValue = isJson;
    let end: number | undefined;
    if (isValue) yield* feed.run((code) => isSpace(code) && code !== NEWLINE);
    while (!feed.over && !(isValue && feed.code === NEWLINE)) {
      const before = feed.length;
      if (feed.code === LESS && (yield* feed.oneOf(END_TOKENS)) !== undefined) {
        end = before;
        break;
      }
      isValue = isValue && feed.over;
      yield* feed.run((code) => code !== LESS);
    }
    const source = feed.take(end);
    if (isValue || (this.#cutOff && end === undefined)) this.#text(source);
    else this.#ledger.calls(source, [codeCall(source)]);
    this.#tagged = false;
    this.#ledger.pend("end", feed.take());
  }

  *#angle(): Reading<Outcome | undefined> {
    const feed = this.#feed;
    const tag = yield* feed.oneOf(this.#quoted ? END_TOKENS : TAGS);
    if (tag === FUNCTION_TAG) return yield* functionTagCall(feed, this.#tools);
    if (tag === FUNCTION_CLOSE && this.#ledger.behindCall) {
      this.#ledger.syntax(feed.take());
    } else if (tag === PYTHON_TAG && !this.#ledger.inFence) {
      this.#ledger.pend("tag", feed.take());
      this.#tagged = true;
    } else if (END_TOKENS.includes(tag ?? "")) {
      this.#ledger.pend("end", feed.take());
      this.#tagged = false;
    } else {
      return "other";
    }
    return undefined;
  }

  *#backticks(): Reading<undefined> {
    const feed = this.#feed;
    const ledger = this.#ledger;
    const { length } = yield* feed.run((code) => code === BACKTICK);
    if (ledger.fenceHolds && length >= this.#fence) {
      ledger.closeFence(feed.take());
      this.#fence = 0;
    } else if (this.#fence === 0 && !this.#inline && length >= MIN_FENCE) {
      this.#fence = length;
      yield* feed.run((code) => code < 0x80 && isScalarPart(code));
      if (isSpace(feed.code) || begins(feed.code)) ledger.openFence(feed.take());
      else this.#text(feed.take());
    } else {
      this.#text(feed.take());
      if (this.#fence === 0) this.#inline = !this.#inline;
      else if (length >= this.#fence) this.#fence = 0;
    }
  }
}

/** Whether the character may begin something that is not plain text, wherever it stands. */
function begins(code: number): boolean {
  return code === CURLY_OPEN || code === SQUARE_OPEN || code === LESS || code === BACKTICK;
}

/** Whether it goes on with what is only text. */
function isPlain(code: number): boolean {
  return code !== NEWLINE && !begins(code);
}
