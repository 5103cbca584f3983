import {
  choice,
  EMPTY,
  type Expression,
  type GrammarRules,
  NOTHING,
  sequence,
  upTo,
  use,
} from "./grammar-rules.js";
import { Numbering } from "./language/numbering.js";

/** From here on, limits are counted in blocks. */
const MAX_COUNTED = 128;
const BLOCK = 32;

/**
 * Parts so many times. Few are counted one by one; of many, whole blocks first, so that llama.cpp makes
 * few rules of them: there are two ways on at a time instead of one, or some more for blocks of blocks.
 */
export class Repetitions {
  readonly #rules: GrammarRules;
  readonly #known = new Map<Expression, Map<string, Expression>>();
  readonly #numbers = new Numbering<Expression>();

  constructor(rules: GrammarRules) {
    this.#rules = rules;
  }

  /** With something behind them. */
  of(part: Expression, min: number, max: number | undefined, end: Expression): Expression {
    if (part === NOTHING) return min === 0 ? end : NOTHING;
    if (max !== undefined) return this.#exactly(part, min, this.#upTo(part, max - min, end));
    const more = this.#once(part, end, "more", () => {
      const rule = this.#rules.declare("more");
      rule.definition = choice(sequence(part, use(rule)), end);
      return use(rule);
    });
    return this.#exactly(part, min, more);
  }

  #exactly(part: Expression, count: number, end: Expression): Expression {
    let block = part;
    let rest = end;
    let left = count;
    while (left > 0) {
      const some = Array.from({ length: left % BLOCK }, () => block);
      rest = sequence(...some, rest);
      left = Math.floor(left / BLOCK);
      if (left === 0) break;
      const inner = block;
      block = this.#once(inner, EMPTY, "times", () =>
        use(this.#rules.define("times", sequence(...Array.from({ length: BLOCK }, () => inner)))),
      );
    }
    return rest;
  }

  #upTo(part: Expression, max: number, end: Expression): Expression {
    if (max === 0) return end;
    if (max <= MAX_COUNTED) {
      return this.#once(part, end, `most ${max}`, () =>
        use(this.#rules.define("most", sequence(upTo(max, this.#single(part)), end))),
      );
    }
    // Whole blocks, and then fewer than one, or in the end the rest: each count in one way.
    let size = MAX_COUNTED;
    while (Math.floor(max / size) > MAX_COUNTED) size *= BLOCK;
    const block = this.#once(part, EMPTY, `block ${size}`, () =>
      use(this.#rules.define("block", this.#exactly(part, size, EMPTY))),
    );
    const less = this.#upTo(part, size - 1, end);
    let rest = this.#upTo(part, max % size, end);
    for (let left = (max % size) + size; left <= max; left += size) {
      const before = rest;
      rest = this.#once(part, end, `most ${left}`, () =>
        use(this.#rules.define("blocks", choice(sequence(block, before), less))),
      );
    }
    return rest;
  }

  /** What can be repeated without a group around it. */
  #single(part: Expression): Expression {
    if (part.kind === "set" || part.kind === "rule") return part;
    return this.#once(part, EMPTY, "one", () => use(this.#rules.define("repeated", part)));
  }

  #once(part: Expression, end: Expression, name: string, make: () => Expression): Expression {
    let known = this.#known.get(part);
    if (known === undefined) {
      known = new Map();
      this.#known.set(part, known);
    }
    const key = `${name} ${end.kind === "text" ? JSON.stringify(end.text) : this.#numbers.of(end)}`;
    let expression = known.get(key);
    if (expression === undefined) {
      expression = make();
      known.set(key, expression);
    }
    return expression;
  }
}
