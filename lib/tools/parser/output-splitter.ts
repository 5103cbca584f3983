import type { CallableTools } from "./callable-tools.js";
import { BLANK, beforeSpace, NAME_START } from "./characters.js";
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
/** What is only text, wherever it stands. */
const PLAIN = /[^\n{[<`]*/y;

/**
 * Splits a model's output into calls, content and syntax. Text that turns out not to be a call is not searched
 * again.
 */
export class OutputSplitter {
  readonly #tools: CallableTools;
  readonly #ledger = new Ledger();
  readonly #feed = new OutputFeed();
  /** What is being read, other than text. */
  #reading: Reading<Outcome | undefined> | undefined;
  /** Behind `<|python_tag|>`, where anything that is not a call is code. */
  #tagged = false;
  /** Between backticks on a line. It ends with the line. */
  #inline = false;
  /** The length of the backticks that opened a fence. It is quoted once it holds anything but calls. */
  #fence = 0;
  /** What is being read, if it is JSON. */
  #json: JsonCalls | undefined;
  #cutOff = false;

  constructor(tools: CallableTools) {
    this.#tools = tools;
  }

  push(chunk: string): Piece[] {
    this.#feed.add(chunk);
    this.#read();
    // Behind the tag it may be code, though.
    if (this.#json?.isData && !this.#tagged) this.#text(this.#feed.take());
    return this.#ledger.take();
  }

  finish(cutOff = false): Piece[] {
    this.#cutOff = cutOff;
    this.#feed.end();
    this.#read();
    this.#ledger.end();
    return this.#ledger.take();
  }

  #read(): void {
    const feed = this.#feed;
    while (!feed.dry) {
      if (this.#reading === undefined) {
        feed.space();
        if (feed.length > 0) this.#space(feed.take());
        if (feed.dry || feed.over) return;
        this.#reading = this.#candidate(feed.char);
      }
      if (this.#reading === undefined) {
        this.#plain();
        continue;
      }
      const { done, value: outcome } = this.#reading.next();
      if (done !== true) return;
      this.#reading = undefined;
      this.#json = undefined;
      if (outcome === undefined) continue;
      if (typeof outcome === "object" && this.#tools.count(outcome.calls)) this.#calls(outcome);
      else if (this.#tagged && outcome !== "text")
        this.#reading = this.#valueOrCode(outcome !== "other");
      else this.#text(feed.take());
    }
  }

  #space(space: string): void {
    if (space.includes("\n")) this.#inline = false;
    this.#ledger.pend("space", space);
  }

  /** In quotations nothing counts but the end of the output. */
  get #quoted(): boolean {
    return this.#inline || (this.#fence > 0 && !this.#ledger.inFence);
  }

  /** Reads what may be a call, or syntax: then there is no outcome. Undefined if it is text. */
  #candidate(char: string): Reading<Outcome | undefined> | undefined {
    if (char === "<") return this.#angle();
    if (char === "`" && !this.#tagged) return this.#backticks();
    if (this.#quoted) return undefined;
    if (char === "[") return this.#bracket();
    if (char === "{") {
      this.#json = new JsonCalls(this.#feed, this.#tools);
      return this.#json.object();
    }
    const mayBegin = this.#tagged || (this.#ledger.fresh && this.#tools.mayBegin(char));
    return mayBegin ? new PythonCalls(this.#feed, this.#tools, this.#tagged).bare() : undefined;
  }

  *#bracket(): Reading<Outcome> {
    const feed = this.#feed;
    const { fresh, spaced } = this.#ledger;
    feed.skip();
    if (!NAME_START.test(yield* feed.next())) {
      this.#json = new JsonCalls(feed, this.#tools, "]");
      return yield* this.#json.array();
    }
    if (!fresh && !spaced && !this.#tagged) return "other";
    return yield* new PythonCalls(feed, this.#tools, fresh && !this.#tagged).list();
  }

  /** Reads a stretch of text, or a separator. */
  #plain(): undefined {
    const feed = this.#feed;
    const { char } = feed;
    feed.skip();
    if ((char === "," || char === ";") && this.#ledger.separable) {
      this.#ledger.pend("separator", feed.take());
    } else {
      feed.read(PLAIN);
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
  *#valueOrCode(isJson: boolean): Reading<undefined> {
    const feed = this.#feed;
    let isValue = isJson;
    let end: number | undefined;
    if (isValue) yield* feed.run(BLANK);
    while (!feed.over && !(isValue && feed.char === "\n")) {
      const before = feed.length;
      if (feed.char === "<" && (yield* feed.oneOf(END_TOKENS)) !== undefined) {
        end = before;
        break;
      }
      isValue = isValue && feed.over;
      yield* feed.run(/[^<]*/y);
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
    const { length } = yield* feed.run(/`*/y);
    if (ledger.fenceHolds && length >= this.#fence) {
      ledger.closeFence(feed.take());
      this.#fence = 0;
    } else if (this.#fence === 0 && !this.#inline && length >= MIN_FENCE) {
      this.#fence = length;
      yield* feed.run(/[\w.+-]*/y);
      if (/[\t-\r {[<`]/.test(feed.char)) ledger.openFence(feed.take());
      else this.#text(feed.take());
    } else {
      this.#text(feed.take());
      if (this.#fence === 0) this.#inline = !this.#inline;
      else if (length >= this.#fence) this.#fence = 0;
    }
  }
}
