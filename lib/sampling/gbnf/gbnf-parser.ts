import { describeAt, placeOf } from "./gbnf-error.js";
import { ALTERNATIVE, type Definition, GbnfRules, TERMINAL } from "./gbnf-rules.js";
import { GbnfScanner } from "./gbnf-scanner.js";

/** llama.cpp recurses into groups, about 470 bytes of stack each, on threads with as little as 512 KB. */
const MAX_GROUP_DEPTH = 200;
/** llama.cpp's own: of a repetition's bounds, and of the rules that a repeated group multiplies to. */
const MAX_REPETITIONS = 2000;
/** llama.cpp writes repetitions out: this many elements take it about 250 MB. */
const MAX_ELEMENTS = 4_000_000;
/** A rule that it makes for a group or a repetition is named after the rule around it. */
const NAME_BYTES_PER_ELEMENT = 64;

/** The rules that llama.cpp makes of the source, repetitions and groups written out as it does. */
export function parseGbnf(source: string): GbnfRules {
  return new GbnfParser(source).parse();
}

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

class GbnfParser extends GbnfScanner {
  private readonly rules = new GbnfRules();
  private elements = 0;

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
      throw this.unexpected(
        "the name of a rule",
        continued
          ? `Alternatives on several lines stand in parentheses, or each line ends with the "|"`
          : undefined,
      );
    }
    this.space(false);
    const id = this.rules.idOf(name, start);
    if (!this.source.startsWith("::=", this.at)) {
      throw this.unexpected(`"::=" after the name of the rule`);
    }
    this.at += 3;
    this.space(true);
    this.alternatives(id, name, start, 0);
    if (this.at < this.source.length && !this.lineEnding()) {
      const closing = this.source[this.at] === ")";
      throw this.unexpected(
        "an item, an operator or the end of the rule",
        closing ? `No "(" is open here` : undefined,
      );
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
          size = this.literal();
          break;
        case "[":
          size = this.characterClass();
          break;
        case "<":
        case "!":
          this.rules.nameToken(this.token());
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
      throw this.error({
        offset: open,
        expected: `at most ${MAX_GROUP_DEPTH} groups inside each other`,
        got: "one more",
        hint: "Move the inner groups into rules of their own",
      });
    }
    this.space(true);
    const id = this.rules.make(owner, open);
    this.charge(nameSize(owner), open);
    this.alternatives(id, owner, open, depth);
    if (this.source[this.at] !== ")") {
      const { line, column } = placeOf(this.source, open);
      throw this.unexpected(`a ")" for the "(" at line ${line}, column ${column}`);
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
    } else if (this.source[this.at] !== "}") throw this.unexpected(`"," or "}"`);
    if (this.source[this.at] !== "}") throw this.unexpected(`"}" after the bounds`);
    this.at++;
    this.space(nested);
    this.checkBounds(min, max, offset);
    // As llama.cpp has it: an upper bound too high to be written out is none.
    return { min, max: max > MAX_REPETITIONS ? unlimited : max, offset };
  }

  private checkBounds(min: number, max: number, offset: number): void {
    if (min > MAX_REPETITIONS) {
      throw this.error({
        offset,
        expected: `a lower bound of at most ${MAX_REPETITIONS}`,
        got: String(min),
      });
    }
    if (max < min) {
      throw this.error({
        offset,
        expected: "an upper bound that is not below the lower one",
        got: `{${min},${max}}`,
      });
    }
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
    this.checkOperand(definition, operand, total, offset);
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
      this.rules.defineOptional(id, { items, offsets, size }, rest, offset);
      made = id;
    }
    if (made !== undefined) {
      append(definition, made, offset, 1);
      operand.size++;
    }
    operand.rules *= total;
  }

  private checkOperand(definition: Definition, operand: Operand, times: number, offset: number) {
    if (operand.start === definition.items.length) {
      throw this.error({
        offset,
        expected: "an item that can be repeated",
        got: `${describeAt(this.source, offset)} after nothing`,
      });
    }
    if (operand.rules * times > MAX_REPETITIONS) {
      throw this.error({
        offset,
        expected: `a repetition that comes to at most ${MAX_REPETITIONS} rules`,
        got: `${operand.rules} × ${times}`,
        hint: "Lower the bounds, or make what is repeated a rule of its own",
      });
    }
  }

  private charge(elements: number, offset: number): void {
    this.elements += elements;
    if (this.elements > MAX_ELEMENTS) {
      throw this.error({
        offset,
        expected: `repetitions that write out to at most ${MAX_ELEMENTS} elements`,
        got: "more with this one",
        hint: "Lower the bounds, or leave the upper ones out",
      });
    }
  }
}

function append(definition: Definition, item: number, offset: number, size: number): void {
  definition.items.push(item);
  definition.offsets.push(offset);
  definition.size += size;
}

function nameSize(owner: string): number {
  return Math.floor(owner.length / NAME_BYTES_PER_ELEMENT);
}
