import type { Calls, Candidate, Position } from "./call-candidate.js";
import type { Callable, CallableTools, FoundCall } from "./callable-tools.js";
import {
  BACKTICK,
  COMMA,
  DONE,
  DONE_BEFORE,
  FAIL,
  isNamePart,
  isNameStart,
  isSpace,
  LESS,
  MORE,
  NEWLINE,
  ROUND_OPEN,
  SEMICOLON,
  SQUARE_CLOSE,
  SQUARE_OPEN,
  type Step,
} from "./characters.js";
import { readCallArguments } from "./python-arguments.js";
import { ArgumentsTracker } from "./value-trackers.js";

const MAX_NAME = 256;
/** `NAME.call(query="…")`: the form of built-in tools, with any name. */
const STRANGE_BUILTIN = /^([A-Za-z_]\w*)\.call$/;

interface Span {
  readonly callable: Callable;
  readonly start: number;
  readonly arguments: number;
  readonly end: number;
}

const BEFORE_NAME = 0;
const NAME = 1;
const ARGUMENTS = 2;
const AFTER_CALL = 3;
const AFTER_LIST = 4;

/** Both forms of Python calls have a name and its arguments. */
abstract class CallTracker {
  readonly isBrokenCall = false;
  readonly isValue = false;
  isHopeless = false;
  protected readonly tools: CallableTools;
  protected readonly position: Position;
  protected readonly spans: Span[] = [];
  protected state = BEFORE_NAME;
  protected length = 0;
  #name = "";
  #callable: Callable | undefined;
  #nameStart = 0;
  #argumentsStart = 0;
  #arguments = new ArgumentsTracker();

  constructor(tools: CallableTools, position: Position) {
    this.tools = tools;
    this.position = position;
  }

  protected beginName(code: number): Step {
    this.#name = String.fromCharCode(code);
    this.#nameStart = this.length - 1;
    this.state = NAME;
    return MORE;
  }

  protected name(code: number, mayGrow: (name: string) => boolean): Step {
    if (code === ROUND_OPEN) {
      this.#callable = this.callable(this.#name);
      if (this.#callable === undefined) return FAIL;
      this.#arguments = new ArgumentsTracker();
      this.#argumentsStart = this.length;
      this.state = ARGUMENTS;
      return MORE;
    }
    if (!isNamePart(code) || this.#name.length >= MAX_NAME) return FAIL;
    this.#name += String.fromCharCode(code);
    return mayGrow(this.#name) ? MORE : FAIL;
  }

  protected arguments(code: number): Step {
    const step = this.#arguments.step(code);
    if (step !== DONE) return step;
    this.spans.push({
      callable: this.#callable as Callable,
      start: this.#nameStart,
      arguments: this.#argumentsStart,
      end: this.length,
    });
    this.state = AFTER_CALL;
    return MORE;
  }

  protected abstract callable(name: string): Callable | undefined;

  /** The complete calls, with the separator and the white space after them. */
  protected complete(source: string): Calls | undefined {
    const last = this.spans.at(-1);
    const calls = last === undefined ? undefined : this.read(source);
    if (last === undefined || calls === undefined) return undefined;
    let length = last.end;
    for (; ; length++) {
      const code = source.charCodeAt(length);
      if (!isSpace(code) && code !== COMMA && code !== SEMICOLON) return { calls, length };
    }
  }

  /** Undefined if one of them is prose and not a call. */
  protected read(source: string): FoundCall[] | undefined {
    const calls: FoundCall[] = [];
    for (const { callable, start, arguments: from, end } of this.spans) {
      const written = { text: source.slice(from, end - 1), source: source.slice(start, end) };
      const call = readCallArguments(callable, written, this.tools);
      if (call === undefined) return undefined;
      calls.push(call);
    }
    return calls;
  }
}

/**
 * `[f(a=1), g()]`. Fresh, any name counts; in the middle of a line, or behind the tag, where it could
 * be code, only names of given tools do. `[]` is no call and stays text: it may as well be the answer
 * that was asked for. A list that goes on behind its "]" as a link or an expression does is text.
 */
export class CallListCandidate extends CallTracker implements Candidate {
  /** Begins after the "[" and white space, which are `length` characters. */
  constructor(tools: CallableTools, position: Position, length: number) {
    super(tools, position);
    this.length = length;
  }

  get mayBeCode(): boolean {
    return this.spans.length === 0 && this.state !== ARGUMENTS;
  }

  step(code: number): Step {
    this.length++;
    switch (this.state) {
      case NAME:
        return this.name(code, () => true);
      case ARGUMENTS:
        return this.arguments(code);
      case AFTER_LIST:
        return code === ROUND_OPEN || code === SQUARE_OPEN ? FAIL : DONE_BEFORE;
      default:
        return this.#between(code);
    }
  }

  #between(code: number): Step {
    if (isSpace(code)) return MORE;
    if (code === SQUARE_CLOSE && this.spans.length > 0) {
      this.state = AFTER_LIST;
    } else if (this.state === AFTER_CALL && (code === COMMA || code === SEMICOLON)) {
      this.state = BEFORE_NAME;
    } else if (this.state === BEFORE_NAME && isNameStart(code)) {
      return this.beginName(code);
    } else {
      return FAIL;
    }
    return MORE;
  }

  protected callable(name: string): Callable | undefined {
    const given = this.tools.callable(name);
    const { fresh, tagged } = this.position;
    return given ?? (fresh && !tagged ? { name, format: "pythonic" } : undefined);
  }

  calls(source: string): Calls | undefined {
    const calls = this.read(source);
    return calls === undefined ? undefined : { calls, length: source.length };
  }

  cutOff(source: string): Calls | undefined {
    return this.state === AFTER_LIST ? this.calls(source) : this.complete(source);
  }
}

/**
 * `f(a=1)` or `brave_search.call(query="…")` without brackets around: a call only where the name is a
 * given or built-in tool's, and nothing but white space, ";", a closing fence, or a comma and another
 * such call follows on its line; `print("x")` stays text. Behind the tag `NAME.call(query="…")` is one
 * for any name.
 */
export class BareCallCandidate extends CallTracker implements Candidate {
  #names: readonly string[] | undefined;

  get mayBeCode(): boolean {
    return this.state !== ARGUMENTS;
  }

  step(code: number): Step {
    this.length++;
    switch (this.state) {
      case BEFORE_NAME:
        if (isSpace(code)) return MORE;
        this.#names = this.tools.startingWith(code);
        return this.#mayBegin(code) ? this.beginName(code) : FAIL;
      case NAME:
        return this.name(code, (name) => this.#mayGrow(name));
      case ARGUMENTS:
        return this.arguments(code);
      default:
        if (endsBareCall(code)) return DONE_BEFORE;
        if (code === COMMA) this.state = BEFORE_NAME;
        return isSpace(code) || code === COMMA ? MORE : FAIL;
    }
  }

  #mayBegin(code: number): boolean {
    return this.#names !== undefined || (this.position.tagged && isNameStart(code));
  }

  /** Prose is let go at its first letter that no tool's name has in that place. */
  #mayGrow(name: string): boolean {
    if (this.position.tagged) return true;
    const at = name.length - 1;
    this.#names = this.#names?.filter((known) => known[at] === name[at]);
    return this.#names !== undefined && this.#names.length > 0;
  }

  protected callable(name: string): Callable | undefined {
    const given = this.tools.callable(name);
    if (given !== undefined || !this.position.tagged) return given;
    const strange = STRANGE_BUILTIN.exec(name)?.[1];
    return strange === undefined ? undefined : { name: strange, format: "builtin" };
  }

  calls(source: string): Calls | undefined {
    const last = this.spans.at(-1);
    const calls = this.read(source);
    if (last === undefined || calls === undefined) return undefined;
    for (const [index, { start, arguments: end }] of this.spans.entries()) {
      const told = this.tools.callable(source.slice(start, end - 1)) !== undefined;
      if (!told && !calls[index]?.arguments.startsWith('{"query":"')) return undefined;
    }
    return { calls, length: last.end };
  }

  /** A comma at the end, or half a name after it, may be prose. */
  cutOff(source: string): Calls | undefined {
    if (this.state === AFTER_CALL) return this.calls(source);
    return this.state === ARGUMENTS ? this.complete(source) : undefined;
  }
}

function endsBareCall(code: number): boolean {
  return code === NEWLINE || code === SEMICOLON || code === LESS || code === BACKTICK;
}
