import { describeAt, placeOf, refuse } from "./gbnf-error.js";
import { ALTERNATIVE, append, type Definition, GbnfRules, TERMINAL } from "./gbnf-rules.js";

/** llama.cpp recurses into groups, about 470 bytes of stack each, on threads with as little as 512 KB. */
const MAX_GROUP_DEPTH = 200;
/** llama.cpp's own: of a repetition's bounds, and of the rules that a repeated group multiplies to. */
const MAX_REPETITIONS = 2000;
/** llama.cpp writes repetitions out: this many elements take it about 250 MB. */
const MAX_ELEMENTS = 4_000_000;
/** A rule that it makes for a group or a repetition is named after the rule around it. */
const NAME_BYTES_PER_ELEMENT = 64;

const MAX_TOKEN_ID = 2 ** 32 - 1;
const MAX_UINT64 = 2n ** 64n - 1n;
const UINT64_DIGITS = 20;

const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const PLAIN_ESCAPES = 'trn\\"[]-';
const ESCAPES = '\\t, \\r, \\n, \\\\, \\", \\[, \\], \\-, \\xXX, \\uXXXX or \\UXXXXXXXX';

/** What an operator such as * applies to. */
interface Operand {
  /** Index of its first item; the length of the definition when it has none, as "" and [] have. */
  readonly start: number;
  size: number;
  /** How many rules it stands for, as llama.cpp counts them. */
  rules: number;
}

interface Repetition {
  readonly min: number;
  readonly max: number;
  readonly offset: number;
}

/** The rules that llama.cpp makes of the source, repetitions and groups written out as it does. */
export function parseGbnf(source: string): GbnfRules {
  return new GbnfParser(source).parse();
}

class GbnfParser {
  private readonly rules = new GbnfRules();
  private readonly source: string;
  private at = 0;
  private elements = 0;

  constructor(source: string) {
    this.source = source;
  }

  parse(): GbnfRules {
    this.space(true);
    while (this.at < this.source.length) this.rule();
    return this.rules;
  }

  private rule(): void {
    const start = this.at;
    const name = this.name();
    if (name === "") {
      const continued = this.source[start] === "|";
      const hint = `Alternatives on several lines stand in parentheses, or each line ends with the "|"`;
      this.unexpected("the name of a rule", continued ? hint : undefined);
    }
    this.space(false);
    const id = this.rules.idOf(name, start);
    if (!this.source.startsWith("::=", this.at)) {
      this.unexpected(`"::=" after the name of the rule`);
    }
    this.at += 3;
    this.space(true);
    this.alternatives(id, name, start, 0);
    if (this.at < this.source.length && !this.lineEnding()) {
      const hint = this.source[this.at] === ")" ? `No "(" is open here` : undefined;
      this.unexpected("an item, an operator or the end of the rule", hint);
    }
    this.space(true);
  }

  private alternatives(id: number, owner: string, start: number, depth: number): void {
    const definition: Definition = { items: [], offsets: [], size: 1 };
    this.charge(1, start);
    this.sequence(definition, owner, depth);
    while (this.source[this.at] === "|") {
      append(definition, ALTERNATIVE, this.at, 1);
      this.charge(1, this.at);
      this.at++;
      this.space(true);
      this.sequence(definition, owner, depth);
    }
    this.rules.define(id, definition);
  }

  private sequence(definition: Definition, owner: string, depth: number): void {
    const nested = depth > 0;
    let operand: Operand = { start: definition.items.length, size: 0, rules: 1 };
    for (;;) {
      const offset = this.at;
      const symbols = this.rules.count;
      let item: number = TERMINAL;
      let size = 1;
      let rules = 1;
      switch (this.source[offset]) {
        case undefined:
          return;
        case "*":
        case "+":
        case "?":
        case "{":
          this.repeat(definition, owner, operand, this.repetition(nested));
          continue;
        case '"':
        case "[":
          size = this.characters();
          break;
        case "<":
        case "!":
          this.token();
          break;
        case ".":
          this.at++;
          break;
        case "(":
          item = this.group(owner, depth + 1);
          rules = this.rules.count - symbols;
          break;
        default: {
          const name = this.name();
          if (name === "") return;
          item = this.rules.idOf(name, offset);
        }
      }
      operand = { start: definition.items.length, size, rules };
      if (size > 0) append(definition, item, offset, size);
      this.charge(size, offset);
      this.space(nested);
    }
  }

  private group(owner: string, depth: number): number {
    const open = this.at++;
    if (depth > MAX_GROUP_DEPTH) {
      const hint = "Move the inner groups into rules of their own";
      this.refuse(open, `at most ${MAX_GROUP_DEPTH} groups inside each other`, "one more", hint);
    }
    this.space(true);
    const id = this.rules.make(owner, open);
    this.charge(nameSize(owner), open);
    this.alternatives(id, owner, open, depth);
    if (this.source[this.at] !== ")") {
      const { line, column } = placeOf(this.source, open);
      this.unexpected(`a ")" for the "(" at line ${line}, column ${column}`);
    }
    this.at++;
    return id;
  }

  /** One of * + ? {m} {m,} {m,n}, and on to the next item. */
  private repetition(nested: boolean): Repetition {
    const offset = this.at++;
    this.space(nested);
    const unlimited = Number.POSITIVE_INFINITY;
    switch (this.source[offset]) {
      case "*":
        return { min: 0, max: unlimited, offset };
      case "+":
        return { min: 1, max: unlimited, offset };
      case "?":
        return { min: 0, max: 1, offset };
    }
    const min = this.integer(`a number after "{"`);
    let max = min;
    this.space(nested);
    if (this.source[this.at] === ",") {
      this.at++;
      this.space(nested);
      max = unlimited;
      if (this.startsInteger()) {
        max = this.integer("a number");
        this.space(nested);
      }
    } else if (this.source[this.at] !== "}") this.unexpected(`"," or "}"`);
    if (this.source[this.at] !== "}") this.unexpected(`"}" after the bounds`);
    this.at++;
    this.space(nested);
    if (min > MAX_REPETITIONS) {
      this.refuse(offset, `a lower bound of at most ${MAX_REPETITIONS}`, String(min));
    }
    if (max < min) {
      const expected = "an upper bound that is not below the lower one";
      this.refuse(offset, expected, `{${min},${max}}`);
    }
    // As llama.cpp has it: an upper bound too high to be written out is none.
    return { min, max: max > MAX_REPETITIONS ? unlimited : max, offset };
  }

  /** x{2,4} becomes x x and a made rule, x (x |) |; without an upper bound it refers to itself. */
  private repeat(
    definition: Definition,
    owner: string,
    operand: Operand,
    { min, max, offset }: Repetition,
  ): void {
    const { start, size } = operand;
    const unlimited = max === Number.POSITIVE_INFINITY;
    const total = Math.max(unlimited ? min : max, 1);
    if (start === definition.items.length) {
      const got = `${describeAt(this.source, offset)} after nothing`;
      this.refuse(offset, "an item that can be repeated", got);
    }
    if (operand.rules * total > MAX_REPETITIONS) {
      const expected = `a repetition that comes to at most ${MAX_REPETITIONS} rules`;
      const hint = "Lower the bounds, or make what is repeated a rule of its own";
      this.refuse(offset, expected, `${operand.rules} × ${total}`, hint);
    }
    const optional = unlimited ? 1 : max - min;
    const copied = Math.max(min - 1, 0) * size;
    this.charge(copied + 1 + optional * (size + 3 + nameSize(owner)), offset);

    const items = definition.items.slice(start);
    const offsets = definition.offsets.slice(start);
    if (min === 0) {
      definition.items.length = start;
      definition.offsets.length = start;
    }
    for (let i = 1; i < min; i++) {
      for (let k = 0; k < items.length; k++) append(definition, items[k]!, offsets[k]!, 0);
    }
    operand.size = min * size;
    definition.size += operand.size - size;

    let made: number | undefined;
    for (let i = 0; i < optional; i++) {
      const id = this.rules.make(owner, offset);
      const rest = unlimited ? id : made;
      const option: Definition = { items: [...items], offsets: [...offsets], size };
      if (rest !== undefined) append(option, rest, offset, 1);
      append(option, ALTERNATIVE, offset, 2);
      this.rules.define(id, option);
      made = id;
    }
    if (made !== undefined) {
      append(definition, made, offset, 1);
      operand.size++;
    }
    operand.rules *= total;
  }

  private charge(elements: number, offset: number): void {
    this.elements += elements;
    if (this.elements <= MAX_ELEMENTS) return;
    const expected = `repetitions that write out to at most ${MAX_ELEMENTS} elements`;
    const hint = "Lower the bounds, or leave the upper ones out";
    this.refuse(offset, expected, "more with this one", hint);
  }

  /** A literal or a character class: how many elements llama.cpp makes of it, none for "" and []. */
  private characters(): number {
    const open = this.at++;
    const close = this.source[open] === '"' ? '"' : "]";
    if (close === "]" && this.source[this.at] === "^") this.at++;
    let size = 0;
    while (this.source[this.at] !== close) {
      this.character(open);
      size++;
      if (close === "]" && this.source[this.at] === "-" && this.source[this.at + 1] !== "]") {
        this.at++;
        this.character(open);
        size++;
      }
    }
    this.at++;
    return size;
  }

  /** One character or escape; `open` is where the literal or class around it begins. */
  private character(open: number): void {
    const codePoint = this.source.codePointAt(this.at);
    if (codePoint === undefined) {
      const literal = this.source[open] === '"';
      const expected = `a ${literal ? `'"'` : `"]"`} that closes this ${literal ? "literal" : "character class"}`;
      this.refuse(open, expected, "the end of the grammar");
    }
    if (codePoint !== 0x5c) {
      this.at += codePoint > 0xffff ? 2 : 1;
      return;
    }
    const letter = this.source[this.at + 1] ?? "";
    const digits = HEX_DIGITS[letter];
    if (digits === undefined && (letter === "" || !PLAIN_ESCAPES.includes(letter))) {
      this.refuse(this.at, ESCAPES, `"\\" before ${describeAt(this.source, this.at + 1)}`);
    }
    this.at += 2;
    for (let i = 0; i < (digits ?? 0); i++, this.at++) {
      if (/^[0-9a-fA-F]$/.test(this.source[this.at] ?? "")) continue;
      this.unexpected(`${digits} hexadecimal digits after "\\${letter}"`);
    }
  }

  /** One token by its text, <think>, or by its id, <[123]>; all others with a "!" before it. */
  private token(): void {
    const start = this.at;
    if (this.source[this.at] === "!") this.at++;
    const open = this.at;
    if (this.source[this.at] !== "<") this.unexpected(`a token such as <[123]> after "!"`);
    this.at++;
    if (this.source[this.at] === "[") {
      this.tokenId();
      return;
    }
    const close = this.source.indexOf(">", this.at);
    if (close < 0) this.refuse(start, `a ">" that closes this token`, "the end of the grammar");
    this.at = close + 1;
    this.rules.tokenTexts.add(this.source.slice(open, this.at));
  }

  private tokenId(): void {
    const start = ++this.at;
    // Where a long has 64 bits llama.cpp would cut a larger one down to the id of another token.
    if (this.integer("a token id") > MAX_TOKEN_ID) {
      this.refuse(start, `a token id of at most ${MAX_TOKEN_ID}`, "a larger one");
    }
    if (!this.source.startsWith("]>", this.at)) this.unexpected(`"]>" after the token id`);
    this.at += 2;
  }

  /** Empty when no name starts here. */
  private name(): string {
    const name = /[a-zA-Z0-9-]*/y;
    name.lastIndex = this.at;
    const [text] = name.exec(this.source)!;
    this.at += text.length;
    return text;
  }

  private integer(what: string): number {
    const start = this.at;
    while (this.startsInteger()) this.at++;
    if (this.at === start) this.unexpected(what);
    const digits = this.source.slice(start, this.at).replace(/^0+(?=.)/, "");
    if (digits.length > UINT64_DIGITS || BigInt(digits) > MAX_UINT64) {
      this.refuse(start, `${what} below 2^64`, `one of ${digits.length} digits`);
    }
    return Number(digits);
  }

  private startsInteger(): boolean {
    const char = this.source[this.at];
    return char !== undefined && char >= "0" && char <= "9";
  }

  /** Spaces, tabs and comments; line endings too where they mean nothing. */
  private space(lines: boolean): void {
    const space = lines ? /(?:[ \t\r\n]|#[^\r\n]*)*/y : /(?:[ \t]|#[^\r\n]*)*/y;
    space.lastIndex = this.at;
    this.at += space.exec(this.source)![0].length;
  }

  /** Whether it stepped over one. */
  private lineEnding(): boolean {
    const char = this.source[this.at];
    if (char !== "\n" && char !== "\r") return false;
    this.at += this.source.startsWith("\r\n", this.at) ? 2 : 1;
    return true;
  }

  private unexpected(expected: string, hint?: string): never {
    const got = describeAt(this.source, this.at);
    this.refuse(this.at, expected, got, hint ?? hintFor(this.source[this.at]));
  }

  private refuse(offset: number, expected: string, got: string, hint?: string): never {
    refuse(this.source, offset, expected, got, hint);
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

function nameSize(owner: string): number {
  return Math.floor(owner.length / NAME_BYTES_PER_ELEMENT);
}
