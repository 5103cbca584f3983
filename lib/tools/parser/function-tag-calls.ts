import type { Calls, Candidate } from "./call-candidate.js";
import { brokenCall, type CallableTools, type FoundCall } from "./callable-tools.js";
import {
  CURLY_CLOSE,
  CURLY_OPEN,
  DONE,
  FAIL,
  GREATER,
  isSpace,
  LESS,
  MORE,
  NEWLINE,
  type Step,
} from "./characters.js";
import { readLiteral } from "./literal-reader.js";
import { FUNCTION_CLOSE, FUNCTION_TAG } from "./tags.js";
import { ValueTracker } from "./value-trackers.js";

const MAX_NAME = 256;

const NAME = 0;
const BODY = 1;
const OBJECT = 2;
const BROKEN = 3;

/**
 * `<function=NAME>{…}</function>`. The call is complete with its object: a closing tag behind it is
 * taken as part of it, and may be missing; the ">" may be, too. Without an object everything up to the
 * closing tag belongs to it: nothing means no arguments, and anything else is a problem. A blank line
 * before the closing tag makes it text.
 */
export class FunctionTagCandidate implements Candidate {
  readonly mayBeCode = false;
  readonly isBrokenCall = false;
  readonly isValue = false;
  isHopeless = false;
  readonly #tools: CallableTools;
  readonly #object = new ValueTracker(CURLY_CLOSE);
  #state = NAME;
  #length = FUNCTION_TAG.length;
  #nameEnd = 0;
  #bodyStart = 0;
  #closing = 0;
  #newline = false;

  /** Begins after the "=". */
  constructor(tools: CallableTools) {
    this.#tools = tools;
  }

  step(code: number): Step {
    this.#length++;
    switch (this.#state) {
      case NAME:
        return this.#name(code);
      case BODY:
        if (isSpace(code)) return MORE;
        this.#bodyStart = this.#length - 1;
        if (code === CURLY_OPEN) {
          this.#state = OBJECT;
          return MORE;
        }
        this.#state = BROKEN;
        return this.#broken(code);
      case OBJECT: {
        const step = this.#object.step(code);
        if (step !== FAIL) return step;
        this.#state = BROKEN;
        return this.#broken(code);
      }
      default:
        return this.#broken(code);
    }
  }

  #name(code: number): Step {
    const length = this.#length - 1 - FUNCTION_TAG.length;
    if (length > 0 && (code === GREATER || code === CURLY_OPEN)) {
      this.#nameEnd = this.#length - 1;
      this.#bodyStart = this.#length - 1;
      this.#state = code === GREATER ? BODY : OBJECT;
      return MORE;
    }
    return length >= MAX_NAME || isSpace(code) || code === LESS || code === GREATER || code === 0x22
      ? FAIL
      : MORE;
  }

  #broken(code: number): Step {
    if (code === NEWLINE) {
      if (this.#newline) return FAIL;
      this.#newline = true;
    } else if (!isSpace(code)) {
      this.#newline = false;
    }
    if (code === FUNCTION_CLOSE.charCodeAt(this.#closing)) this.#closing++;
    else this.#closing = code === LESS ? 1 : 0;
    return this.#closing === FUNCTION_CLOSE.length ? DONE : MORE;
  }

  calls(source: string): Calls {
    return { calls: [this.#call(source)], length: source.length };
  }

  #call(source: string): FoundCall {
    const format = "function-tag";
    const name = source.slice(FUNCTION_TAG.length, this.#nameEnd);
    const end = this.#state === BROKEN ? source.length - FUNCTION_CLOSE.length : source.length;
    const body = source.slice(this.#bodyStart, end);
    const literal = body.trim() === "" ? readLiteral("{}") : readLiteral(body);
    if (literal?.kind === "object") {
      return { format, name, arguments: this.#tools.arguments(name, literal.members) };
    }
    return brokenCall({ format, name }, "The arguments are not a JSON object", source);
  }

  cutOff(): undefined {
    return undefined;
  }
}
