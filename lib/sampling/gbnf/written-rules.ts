import type { WrittenGrammar } from "../../schema/gbnf-writer.js";
import type { Expression, Rule } from "../../schema/grammar-rules.js";
import type { CharSet } from "../../schema/language/char-set.js";
import { ALTERNATIVE, append, type Definition, GbnfRules, TERMINAL } from "./gbnf-rules.js";

/** The rules that `parseGbnf()` reads in the source of a grammar of ours, without reading it. */
export function writtenRules(written: WrittenGrammar): GbnfRules {
  return new Reader(written).rules();
}

class Reader {
  readonly #written: WrittenGrammar;
  readonly #rules = new GbnfRules();

  constructor(written: WrittenGrammar) {
    this.#written = written;
  }

  rules(): GbnfRules {
    for (const [rule, expression] of this.#written.definitions) {
      const id = this.#idOf(rule);
      this.#rules.define(id, this.#definition(expression));
    }
    return this.#rules;
  }

  #idOf(rule: Rule): number {
    return this.#rules.idOf(this.#written.names.get(rule)!, 0);
  }

  #definition(expression: Expression): Definition {
    const definition: Definition = { items: [], offsets: [], size: 1 };
    const ways = expression.kind === "choice" ? expression.parts : [expression];
    for (const [index, way] of ways.entries()) {
      if (index > 0) append(definition, ALTERNATIVE, 0, 1);
      this.#add(way, definition);
    }
    return definition;
  }

  #add(expression: Expression, to: Definition): void {
    switch (expression.kind) {
      case "text":
        append(to, TERMINAL, 0, [...expression.text].length);
        return;
      case "set":
        append(to, TERMINAL, 0, sizeOf(expression.set));
        return;
      case "upTo":
        this.#addUpTo(expression, to);
        return;
      case "rule":
        append(to, this.#idOf(expression.rule), 0, 1);
        return;
      case "sequence":
        for (const part of expression.parts) this.#add(part, to);
        return;
      case "choice": {
        const id = this.#rules.make("", 0);
        this.#rules.define(id, this.#definition(expression));
        append(to, id, 0, 1);
      }
    }
  }

  /** As the parser has it: each made rule is the part and the rule before it, or nothing. */
  #addUpTo({ part, most }: Extract<Expression, { kind: "upTo" }>, to: Definition): void {
    const once = this.#definition(part);
    let made: number | undefined;
    for (let i = 0; i < most; i++) {
      const option = { items: [...once.items], offsets: [...once.offsets], size: once.size - 1 };
      if (made !== undefined) append(option, made, 0, 1);
      append(option, ALTERNATIVE, 0, 2);
      made = this.#rules.make("", 0);
      this.#rules.define(made, option);
    }
    if (made !== undefined) append(to, made, 0, 1);
  }
}

/** One for each end of a range that is written. */
function sizeOf(set: CharSet): number {
  let size = 0;
  for (let i = 0; i < set.length; i += 2) size += set[i] === set[i + 1] ? 1 : 2;
  return size;
}
