import { describeAt, type GbnfProblem, gbnfError } from "./gbnf-error.js";

const MAX_TOKEN_ID = 2 ** 32 - 1;
const MAX_UINT64 = 2n ** 64n - 1n;
const UINT64_DIGITS = 20;

const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const PLAIN_ESCAPES = 'trn\\"[]-';
const ESCAPES = '\\t, \\r, \\n, \\\\, \\", \\[, \\], \\-, \\xXX, \\uXXXX or \\UXXXXXXXX';

/** Steps over the smallest parts of a grammar, from where it stands, as llama.cpp does. */
export class GbnfScanner {
  protected readonly source: string;
  protected at = 0;

  constructor(source: string) {
    this.source = source;
  }

  /** Of a literal, the number of characters it matches. */
  protected literal(): number {
    const open = this.at++;
    let size = 0;
    while (this.source[this.at] !== '"') {
      this.character(open, `a '"' that closes this literal`);
      size++;
    }
    this.at++;
    return size;
  }

  /** Of a character class, the number of elements llama.cpp makes of it: none for [] and [^]. */
  protected characterClass(): number {
    const open = this.at++;
    const closing = `a "]" that closes this character class`;
    if (this.source[this.at] === "^") this.at++;
    let size = 0;
    while (this.source[this.at] !== "]") {
      this.character(open, closing);
      size++;
      if (this.source[this.at] === "-" && this.source[this.at + 1] !== "]") {
        this.at++;
        this.character(open, closing);
        size++;
      }
    }
    this.at++;
    return size;
  }

  /** One character or escape; `open` and `closing` tell what would be left open at the end. */
  private character(open: number, closing: string): void {
    const codePoint = this.source.codePointAt(this.at);
    if (codePoint === undefined) {
      throw this.error({ offset: open, expected: closing, got: "the end of the grammar" });
    }
    if (codePoint === 0x5c) this.escape();
    else this.at += codePoint > 0xffff ? 2 : 1;
  }

  private escape(): void {
    const letter = this.source[this.at + 1] ?? "";
    const digits = HEX_DIGITS[letter];
    if (digits === undefined && (letter === "" || !PLAIN_ESCAPES.includes(letter))) {
      throw this.error({
        offset: this.at,
        expected: ESCAPES,
        got: `"\\" before ${describeAt(this.source, this.at + 1)}`,
      });
    }
    this.at += 2;
    for (let i = 0; i < (digits ?? 0); i++, this.at++) {
      if (!/^[0-9a-fA-F]$/.test(this.source[this.at] ?? "")) {
        throw this.unexpected(`${digits} hexadecimal digits after "\\${letter}"`);
      }
    }
  }

  /** The text of a token that is named, brackets included; "" for one given by its id. */
  protected token(): string {
    const start = this.at;
    if (this.source[this.at] === "!") this.at++;
    const open = this.at;
    if (this.source[this.at] !== "<") throw this.unexpected(`a token such as <[123]> after "!"`);
    this.at++;
    if (this.source[this.at] === "[") {
      this.tokenId();
      return "";
    }
    const close = this.source.indexOf(">", this.at);
    if (close < 0) {
      throw this.error({
        offset: start,
        expected: `a ">" that closes this token`,
        got: "the end of the grammar",
      });
    }
    this.at = close + 1;
    return this.source.slice(open, this.at);
  }

  private tokenId(): void {
    const start = ++this.at;
    // Where a long has 64 bits llama.cpp would cut a larger one down to the id of another token.
    if (this.integer("a token id") > MAX_TOKEN_ID) {
      throw this.error({
        offset: start,
        expected: `a token id of at most ${MAX_TOKEN_ID}`,
        got: "a larger one",
      });
    }
    if (!this.source.startsWith("]>", this.at)) throw this.unexpected(`"]>" after the token id`);
    this.at += 2;
  }

  /** Empty when no name starts here. */
  protected name(): string {
    const start = this.at;
    while (isNameCharacter(this.source.charCodeAt(this.at))) this.at++;
    return this.source.slice(start, this.at);
  }

  protected integer(what: string): number {
    const start = this.at;
    while (this.startsInteger()) this.at++;
    if (this.at === start) throw this.unexpected(what);
    const digits = this.source.slice(start, this.at).replace(/^0+(?=.)/, "");
    if (digits.length > UINT64_DIGITS || BigInt(digits) > MAX_UINT64) {
      throw this.error({
        offset: start,
        expected: `${what} below 2^64`,
        got: `one of ${digits.length} digits`,
      });
    }
    return Number(digits);
  }

  protected startsInteger(): boolean {
    const char = this.source[this.at];
    return char !== undefined && char >= "0" && char <= "9";
  }

  /** Spaces, tabs and comments; line endings too where they mean nothing. */
  protected space(lines: boolean): void {
    for (;;) {
      const char = this.source[this.at];
      if (char === "#") this.comment();
      else if (char === " " || char === "\t" || (lines && isLineEnding(char))) this.at++;
      else return;
    }
  }

  private comment(): void {
    while (this.at < this.source.length && !isLineEnding(this.source[this.at])) this.at++;
  }

  /** Whether it stepped over one. */
  protected lineEnding(): boolean {
    if (!isLineEnding(this.source[this.at])) return false;
    this.at += this.source.startsWith("\r\n", this.at) ? 2 : 1;
    return true;
  }

  protected unexpected(expected: string, hint?: string): Error {
    return this.error({
      offset: this.at,
      expected,
      got: describeAt(this.source, this.at),
      hint: hint ?? hintFor(this.source[this.at]),
    });
  }

  protected error(problem: GbnfProblem): Error {
    return gbnfError(this.source, problem);
  }
}

/** What people usually mean by a character that is never right outside literals and classes. */
function hintFor(char: string | undefined): string | undefined {
  switch (char) {
    case "_":
      return `Names are made of a-z, A-Z, 0-9 and "-"`;
    case "'":
      return "Literals stand in double quotes";
    case ":":
    case "=":
      return `A rule is written name ::= …, on a line of its own, with every "(" before it closed`;
    case "\uFEFF":
      return "Leave the byte order mark out";
    default:
      return undefined;
  }
}

function isLineEnding(char: string | undefined): boolean {
  return char === "\n" || char === "\r";
}

function isNameCharacter(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d
  );
}
