import type { Calls, Candidate, Position } from "./call-candidate.js";
import type { CallableTools } from "./callable-tools.js";
import {
  BACKTICK,
  beforeSpace,
  COMMA,
  CURLY_OPEN,
  DONE,
  FAIL,
  isNameStart,
  isSpace,
  LESS,
  MORE,
  NEWLINE,
  SEMICOLON,
  SQUARE_OPEN,
} from "./characters.js";
import { codeCall, EndTokenMatcher, splitEndTokens } from "./code-calls.js";
import { FunctionTagCandidate } from "./function-tag-calls.js";
import { JsonCandidate } from "./json-calls.js";
import { Ledger, type Piece } from "./ledger.js";
import { OutputFeed } from "./output-feed.js";
import { BareCallCandidate, CallListCandidate } from "./python-calls.js";
import { Quotation } from "./quotation.js";
import { FUNCTION_CLOSE, FUNCTION_TAG, PYTHON_TAG, tagsAt } from "./tags.js";

/** What the splitter is reading. */
type Mode =
  /** Text: nothing is held but white space. */
  | "prose"
  | "candidate"
  /** After a "[", in something that begins with "<", in a run of backticks, in the word after it. */
  | "bracket"
  | "angle"
  | "ticks"
  | "fence-info"
  /** After the tag: before anything else, after a JSON value that is not a call, in code. */
  | "tagged"
  | "value"
  | "code";

/**
 * Splits a model's output into calls, content and syntax, one character at a time and without looking ahead
 * or back. So it does not matter how the output was cut into chunks, and the time is linear in its length:
 * text that turns out not to be a call is not searched again.
 */
export class OutputSplitter {
  readonly #tools: CallableTools;
  readonly #ledger = new Ledger();
  readonly #feed = new OutputFeed();
  readonly #quotation = new Quotation();
  #mode: Mode = "prose";
  #candidate: Candidate | undefined;
  #tagged = false;
  #angle = "";
  /** Whether `</function>` would belong to the call before it. */
  #closable = false;
  #valueLength = 0;
  #endToken = new EndTokenMatcher();

  constructor(tools: CallableTools) {
    this.#tools = tools;
  }

  push(chunk: string): Piece[] {
    this.#feed.begin(chunk);
    for (let at = 0; at < chunk.length; ) {
      if (this.#mode === "prose") at = this.#prose(chunk, at);
      else if (this.#step(chunk.charCodeAt(at), at)) at++;
    }
    if (this.#current?.isHopeless) this.#showHopeless(chunk.length);
    this.#feed.end();
    return this.#ledger.take();
  }

  finish(cutOff = false): Piece[] {
    this.#finish(cutOff);
    this.#ledger.end();
    this.#mode = "prose";
    return this.#ledger.take();
  }

  /** Takes a stretch of prose from `at`, or the beginning of something else. Returns where to go on. */
  #prose(chunk: string, at: number): number {
    const code = chunk.charCodeAt(at);
    if (isSpace(code)) {
      let end = at + 1;
      while (isSpace(chunk.charCodeAt(end))) end++;
      const space = this.#feed.take(end);
      if (space.includes("\n")) this.#quotation.inline = false;
      this.#ledger.pend("space", space);
      return end;
    }
    const begun = this.#begin(code, at);
    if (begun >= 0) return begun;
    let end = at + 1;
    for (let next = end; next < chunk.length; next++) {
      const here = chunk.charCodeAt(next);
      if (here === NEWLINE || begins(here)) break;
      if (!isSpace(here)) end = next + 1;
    }
    this.#text(this.#feed.take(end));
    return end;
  }

  /** Where to go on if something other than plain text begins at `at`, else -1. */
  #begin(code: number, at: number): number {
    switch (code) {
      case LESS:
        this.#mode = "angle";
        this.#angle = "<";
        return at + 1;
      case BACKTICK:
        this.#mode = "ticks";
        this.#quotation.beginRun();
        return at + 1;
      case CURLY_OPEN:
        if (this.#quotation.fenced) return -1;
        this.#candidateIs(new JsonCandidate(this.#tools, CURLY_OPEN, 1));
        return at + 1;
      case SQUARE_OPEN:
        if (this.#quotation.fenced) return -1;
        this.#mode = "bracket";
        return at + 1;
      case COMMA:
      case SEMICOLON:
        if (!this.#ledger.separable) return -1;
        this.#ledger.pend("separator", this.#feed.take(at + 1));
        return at + 1;
      default:
        if (!this.#ledger.fresh || this.#quotation.fenced || this.#quotation.inline) return -1;
        if (this.#tools.startingWith(code) === undefined) return -1;
        this.#candidateIs(new BareCallCandidate(this.#tools, this.#position()));
        return at;
    }
  }

  #position(): Position {
    return { fresh: this.#ledger.fresh, tagged: this.#tagged };
  }

  #candidateIs(candidate: Candidate): void {
    this.#candidate = candidate;
    candidate.isHopeless = this.#quotation.inline;
    this.#mode = "candidate";
  }

  /** Whether the character was consumed; if not, it belongs to the mode that has begun. */
  #step(code: number, at: number): boolean {
    switch (this.#mode) {
      case "candidate":
        return this.#inCandidate(code, at);
      case "bracket":
        return this.#behindBracket(code, at);
      case "angle":
        return this.#inAngle(code, at);
      case "ticks":
        if (code !== BACKTICK) this.#ticksEnd(at);
        else this.#quotation.growRun();
        return code === BACKTICK;
      case "fence-info":
        return this.#inFenceInfo(code, at);
      case "tagged":
        return this.#behindTag(code, at);
      case "value":
        return this.#behindValue(code, at);
      default:
        return this.#inCode(code, at);
    }
  }

  #inCandidate(code: number, at: number): boolean {
    const candidate = this.#candidate as Candidate;
    const step = candidate.step(code, () => this.#feed.peek(at));
    if (step === FAIL) this.#fail(at);
    else if (step !== MORE) this.#complete(candidate, step === DONE ? at + 1 : at);
    return step === MORE || step === DONE;
  }

  get #current(): Candidate | undefined {
    return this.#mode === "candidate" ? this.#candidate : undefined;
  }

  /** Passes it on as text. After the tag it may be code, though, and a fence is undecided until its end. */
  #showHopeless(end: number): void {
    if (this.#tagged || this.#ledger.inFence) return;
    this.#text(this.#feed.take(end));
    this.#mode = "candidate";
  }

  #complete(candidate: Candidate, end: number): void {
    const source = this.#feed.take(end);
    const found = candidate.isHopeless ? undefined : candidate.calls(source);
    if (found !== undefined && this.#tools.count(found.calls)) {
      this.#calls(source, found);
    } else if (this.#tagged) {
      this.#feed.giveBack(source);
      this.#valueLength = source.length;
      this.#mode = candidate.isValue ? "value" : "code";
      this.#endToken = new EndTokenMatcher();
    } else {
      this.#text(source);
    }
  }

  #calls(source: string, { calls, length }: Calls): void {
    this.#ledger.calls(source.slice(0, length), calls);
    this.#tagged = false;
    this.#closable = calls[0]?.format === "function-tag";
    this.#mode = "prose";
    this.#lastText(source.slice(length));
  }

  /** What is held is not a call: it is text, or code after the tag. */
  #fail(at: number): void {
    if (this.#tagged && this.#current?.isBrokenCall !== true) {
      this.#mode = "code";
      this.#endToken = new EndTokenMatcher();
    } else {
      this.#text(this.#feed.take(at));
    }
  }

  #text(source: string): void {
    const end = beforeSpace(source);
    if (this.#ledger.inFence) this.#quotation.quote();
    this.#ledger.text(source.slice(0, end));
    this.#ledger.pend("space", source.slice(end));
    this.#mode = "prose";
    this.#tagged = false;
    this.#closable = false;
  }

  #behindBracket(code: number, at: number): boolean {
    if (isSpace(code)) return true;
    const length = this.#feed.length(at);
    if (!isNameStart(code)) {
      this.#candidateIs(new JsonCandidate(this.#tools, SQUARE_OPEN, length));
    } else if (this.#ledger.fresh || this.#ledger.spaced || this.#tagged) {
      this.#candidateIs(new CallListCandidate(this.#tools, this.#position(), length));
    } else {
      this.#fail(at);
    }
    return false;
  }

  #inAngle(code: number, at: number): boolean {
    this.#angle += String.fromCharCode(code);
    const quoted = this.#quotation.fenced || this.#quotation.inline;
    const { inFence, behindCall } = this.#ledger;
    const tags = tagsAt({ quoted, inFence, closable: this.#closable && behindCall });
    const opening = tags.find((tag) => tag.startsWith(this.#angle));
    if (opening === undefined) {
      this.#fail(at);
      return false;
    }
    if (opening === this.#angle) this.#opened(opening, at + 1);
    return true;
  }

  #opened(opening: string, end: number): void {
    switch (opening) {
      case FUNCTION_TAG:
        this.#candidateIs(new FunctionTagCandidate(this.#tools));
        return;
      case FUNCTION_CLOSE:
        this.#ledger.syntax(this.#feed.take(end));
        this.#closable = false;
        this.#mode = "prose";
        return;
      case PYTHON_TAG:
        this.#ledger.pend("tag", this.#feed.take(end));
        this.#tagged = true;
        this.#mode = "tagged";
        return;
      default:
        this.#ledger.pend("end", this.#feed.take(end));
        this.#tagged = false;
        this.#mode = "prose";
    }
  }

  #ticksEnd(at: number): void {
    const { inFence, fenceHolds } = this.#ledger;
    this.#mode = "prose";
    if (fenceHolds && this.#quotation.closes) {
      this.#ledger.closeFence(this.#feed.take(at));
    } else if (!inFence && this.#quotation.opens) {
      this.#quotation.open();
      this.#mode = "fence-info";
    } else {
      this.#text(this.#feed.take(at));
      this.#quotation.runIsText();
    }
  }

  #inFenceInfo(code: number, at: number): boolean {
    if (isSpace(code) || begins(code)) {
      this.#ledger.openFence(this.#feed.take(at));
      this.#mode = "prose";
      return false;
    }
    if (this.#quotation.info(code)) return true;
    this.#text(this.#feed.take(at));
    this.#quotation.quote();
    return false;
  }

  #behindTag(code: number, at: number): boolean {
    if (isSpace(code)) {
      this.#ledger.pend("space", this.#feed.take(at + 1));
      return true;
    }
    if (code === CURLY_OPEN || code === SQUARE_OPEN || code === LESS) {
      this.#begin(code, at);
      return true;
    }
    if (isNameStart(code)) {
      this.#candidateIs(new BareCallCandidate(this.#tools, this.#position()));
    } else {
      this.#fail(at);
    }
    return false;
  }

  /** A value alone on its line is an answer; one that goes on is code. */
  #behindValue(code: number, at: number): boolean {
    if (isSpace(code) && !this.#endToken.inside) {
      if (code === NEWLINE) this.#value(this.#feed.take(at));
      return code !== NEWLINE;
    }
    const token = this.#endToken.step(code);
    if (token !== undefined) {
      this.#value(this.#feed.take(at + 1).slice(0, -token.length));
      this.#ledger.pend("end", token);
      return true;
    }
    if (this.#endToken.inside) return true;
    this.#fail(at);
    return false;
  }

  #value(source: string): void {
    this.#text(source.slice(0, this.#valueLength));
    this.#lastText(source.slice(this.#valueLength));
  }

  #inCode(code: number, at: number): boolean {
    const token = this.#endToken.step(code);
    if (token !== undefined) {
      this.#code(this.#feed.take(at + 1).slice(0, -token.length));
      this.#ledger.pend("end", token);
    }
    return true;
  }

  #code(source: string): void {
    this.#calls(source, { calls: [codeCall(source)], length: source.length });
  }

  #finish(cutOff: boolean): void {
    if (this.#mode === "ticks") this.#ticksEnd(0);
    const source = this.#feed.take(0);
    if (source === "") return;
    const candidate = this.#current;
    const found = candidate?.isHopeless ? undefined : candidate?.cutOff(source);
    if (found !== undefined && this.#tools.count(found.calls)) {
      this.#calls(source, found);
    } else if (this.#mode === "value") {
      this.#value(source);
    } else if (this.#tagged && !cutOff && (candidate?.mayBeCode ?? true)) {
      this.#code(source);
    } else {
      this.#lastText(source);
    }
  }

  /** Text at the end of the output, without the tokens that ended it. */
  #lastText(source: string): void {
    const [text, tokens] = splitEndTokens(source);
    if (beforeSpace(text) === 0) this.#ledger.pend("space", text);
    else this.#text(text);
    for (const token of tokens) this.#ledger.pend("end", token);
  }
}

/** Whether the character may begin something that is not plain text, wherever it stands. */
function begins(code: number): boolean {
  return code === CURLY_OPEN || code === SQUARE_OPEN || code === LESS || code === BACKTICK;
}
