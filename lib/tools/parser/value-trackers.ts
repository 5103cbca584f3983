import {
  BACKSLASH,
  COLON,
  COMMA,
  CURLY_CLOSE,
  CURLY_OPEN,
  DONE,
  DONE_BEFORE,
  DOUBLE_QUOTE,
  FAIL,
  isDigit,
  isScalarPart,
  isSpace,
  isWord,
  MORE,
  NEWLINE,
  ROUND_CLOSE,
  ROUND_OPEN,
  SINGLE_QUOTE,
  SQUARE_CLOSE,
  SQUARE_OPEN,
  type Step,
} from "./characters.js";

/*
 * Trackers find where a value ends, or that there is none, one character at a time and without looking
 * ahead. So the result is the same however the output is cut, and the time is linear. A LiteralReader reads
 * the value once it is complete; both take the same strings.
 */

const OPENED = 0;
const INSIDE = 1;
const ESCAPED = 2;
const APOSTROPHE = 3;
const EMPTY = 4;
const TRIPLE = 5;
const TRIPLE_ESCAPED = 6;

/** Tracks a string in single, double or triple quotes, from after the first quote. */
class StringTracker {
  #state = OPENED;
  #quote = 0;
  #lines = false;
  #previous = 0;
  #quotes = 0;

  /** @param lines whether it may hold line feeds; never in single quotes, which prose is full of */
  begin(quote: number, lines: boolean): void {
    this.#state = OPENED;
    this.#quote = quote;
    this.#lines = lines && quote === DOUBLE_QUOTE;
    this.#quotes = 0;
  }

  step(code: number): Step {
    const previous = this.#previous;
    this.#previous = code;
    switch (this.#state) {
      case OPENED:
        if (code === this.#quote) {
          this.#state = EMPTY;
          return MORE;
        }
        return this.#inside(code, 0);
      case INSIDE:
        return this.#inside(code, previous);
      case ESCAPED:
        this.#state = INSIDE;
        return MORE;
      case APOSTROPHE:
        return isWord(code) ? this.#inside(code, previous) : DONE_BEFORE;
      case EMPTY:
        if (code !== this.#quote) return DONE_BEFORE;
        this.#state = TRIPLE;
        return MORE;
      case TRIPLE:
        if (code === BACKSLASH) this.#state = TRIPLE_ESCAPED;
        this.#quotes = code === this.#quote ? this.#quotes + 1 : 0;
        return this.#quotes === 3 ? DONE : MORE;
      default:
        this.#state = TRIPLE;
        return MORE;
    }
  }

  #inside(code: number, previous: number): Step {
    this.#state = INSIDE;
    if (code === BACKSLASH) {
      this.#state = ESCAPED;
    } else if (code === this.#quote) {
      if (code === DOUBLE_QUOTE || !isWord(previous)) return DONE;
      this.#state = APOSTROPHE;
    } else if (code === NEWLINE && !this.#lines) {
      return FAIL;
    }
    return MORE;
  }
}

const KEY = 0;
const KEY_SCALAR = 1;
const AFTER_KEY = 2;
const VALUE = 3;
const SCALAR = 4;
const AFTER_VALUE = 5;
const IN_KEY = 6;
const IN_STRING = 7;

/** Tracks a JSON or Python object or array, from after its opening bracket. */
export class ValueTracker {
  /** The closing brackets that are to come, innermost last. */
  readonly closers: number[];
  readonly #string = new StringTracker();
  #state: number;

  constructor(close: typeof CURLY_CLOSE | typeof SQUARE_CLOSE) {
    this.closers = [close];
    this.#state = close === CURLY_CLOSE ? KEY : VALUE;
  }

  /** Whether only the outermost bracket is open and the last item is complete. */
  get betweenItems(): boolean {
    return this.#state === AFTER_VALUE && this.closers.length === 1;
  }

  step(code: number): Step {
    if (this.#state >= IN_KEY) {
      const step = this.#string.step(code);
      if (step === MORE || step === FAIL) return step;
      this.#state = this.#state === IN_KEY ? AFTER_KEY : AFTER_VALUE;
      if (step === DONE) return MORE;
    } else if (this.#state === SCALAR || this.#state === KEY_SCALAR) {
      if (isScalarPart(code)) return MORE;
      this.#state = this.#state === SCALAR ? AFTER_VALUE : AFTER_KEY;
    }
    if (isSpace(code)) return MORE;
    switch (this.#state) {
      case KEY:
        return this.#key(code);
      case AFTER_KEY:
        if (code !== COLON) return FAIL;
        this.#state = VALUE;
        return MORE;
      case VALUE:
        return this.#value(code);
      default:
        if (code !== COMMA) return this.#close(code);
        this.#state = this.#closer() === CURLY_CLOSE ? KEY : VALUE;
        return MORE;
    }
  }

  #closer(): number {
    return this.closers[this.closers.length - 1] as number;
  }

  #key(code: number): Step {
    if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) {
      this.#string.begin(code, false);
      this.#state = IN_KEY;
      return MORE;
    }
    if (isDigit(code)) {
      this.#state = KEY_SCALAR;
      return MORE;
    }
    return this.#close(code);
  }

  #value(code: number): Step {
    switch (code) {
      case DOUBLE_QUOTE:
      case SINGLE_QUOTE:
        this.#string.begin(code, true);
        this.#state = IN_STRING;
        return MORE;
      case CURLY_OPEN:
        this.closers.push(CURLY_CLOSE);
        this.#state = KEY;
        return MORE;
      case SQUARE_OPEN:
        this.closers.push(SQUARE_CLOSE);
        return MORE;
      case SQUARE_CLOSE:
        return this.#close(code);
      default:
        if (!startsScalar(code)) return FAIL;
        this.#state = SCALAR;
        return MORE;
    }
  }

  /** A trailing comma before it is allowed, a "]" in place of a member's value is not. */
  #close(code: number): Step {
    if (code !== this.#closer()) return FAIL;
    this.closers.pop();
    this.#state = AFTER_VALUE;
    return this.closers.length === 0 ? DONE : MORE;
  }
}

/** Digits, signs, "." and the first letters of true, false, null, None, NaN and Infinity. */
function startsScalar(code: number): boolean {
  return isDigit(code) || (code < 0x80 && "+-.tfnTFNI".includes(String.fromCharCode(code)));
}

/** Tracks the arguments of a Python call, literal or not, from after their "(". */
export class ArgumentsTracker {
  readonly #closers: number[] = [ROUND_CLOSE];
  readonly #string = new StringTracker();
  #inString = false;

  step(code: number): Step {
    if (this.#inString) {
      const step = this.#string.step(code);
      if (step === MORE || step === FAIL) return step;
      this.#inString = false;
      if (step === DONE) return MORE;
    }
    switch (code) {
      case DOUBLE_QUOTE:
      case SINGLE_QUOTE:
        this.#string.begin(code, true);
        this.#inString = true;
        return MORE;
      case ROUND_OPEN:
        this.#closers.push(ROUND_CLOSE);
        return MORE;
      case SQUARE_OPEN:
        this.#closers.push(SQUARE_CLOSE);
        return MORE;
      case CURLY_OPEN:
        this.#closers.push(CURLY_CLOSE);
        return MORE;
      case ROUND_CLOSE:
      case SQUARE_CLOSE:
      case CURLY_CLOSE:
        if (this.#closers.pop() !== code) return FAIL;
        return this.#closers.length === 0 ? DONE : MORE;
      default:
        return MORE;
    }
  }
}

/**
 * Tracks a broken object from where it broke. Only brackets count, since the quotes may be what is wrong.
 * A blank line ends it.
 */
export class WreckTracker {
  #depth: number;
  #newline = false;

  constructor(depth: number) {
    this.#depth = depth;
  }

  step(code: number): Step {
    if (code === NEWLINE) {
      if (this.#newline) return FAIL;
      this.#newline = true;
    } else if (!isSpace(code)) {
      this.#newline = false;
    }
    if (code === CURLY_OPEN || code === SQUARE_OPEN) this.#depth++;
    if (code === CURLY_CLOSE || code === SQUARE_CLOSE) this.#depth--;
    return this.#depth <= 0 ? DONE : MORE;
  }
}
