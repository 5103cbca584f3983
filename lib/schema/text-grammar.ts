import { AutomatonGrammar, type Counted } from "./automaton-grammar.js";
import {
  choice,
  EMPTY,
  type Expression,
  GrammarRules,
  type Rule,
  sequence,
  set,
  text,
  use,
} from "./grammar-rules.js";
import {
  type CharSet,
  charSet,
  difference,
  EVERY,
  intersection,
  rangesOf,
} from "./language/char-set.js";
import type { Dfa } from "./language/dfa.js";
import { otherTexts } from "./other-texts.js";
import { Repetitions } from "./repetitions.js";

const HEX: CharSet = charSet([0x30, 0x39], [0x41, 0x46], [0x61, 0x66]);
/** Characters that stand for themselves between quotes. */
const RAW: CharSet = difference(EVERY, charSet([0, 0x1f], [0x22, 0x22], [0x5c, 0x5c]));
const SHORT: Readonly<Record<number, string>> = {
  8: "b",
  9: "t",
  10: "n",
  12: "f",
  13: "r",
  34: '"',
  92: "\\",
};
const MAX_WRITTEN_RANGES = 6;

interface SharedRules {
  readonly rules: GrammarRules;
  readonly expression: Expression;
}

/** Rules of numbers are the same in all grammars: most have some, and they are many. */
const numbers = new WeakMap<Dfa, SharedRules>();

/** Rules for texts of JSON, between their quotes. */
export class TextGrammar {
  readonly #rules: GrammarRules;
  readonly #sets = new Map<string, Expression>();
  readonly #automata = new Map<Dfa, Map<string, Expression>>();
  readonly #others = new Map<string, Expression>();
  readonly #escapes = new Map<string, Expression>();
  readonly #numbers = new Set<Dfa>();
  readonly #spelled: AutomatonGrammar;
  readonly #literal: AutomatonGrammar;
  readonly repetitions: Repetitions;
  #anyCharacter: Rule | undefined;
  #anyText: Rule | undefined;

  constructor(rules: GrammarRules) {
    this.#rules = rules;
    this.repetitions = new Repetitions(rules);
    const spell = (characters: CharSet) => this.#spell(characters);
    this.#spelled = new AutomatonGrammar(rules, this.repetitions, spell);
    const stand = (characters: CharSet) => this.#stand(characters);
    this.#literal = new AutomatonGrammar(rules, this.repetitions, stand);
  }

  /** Any text, in any way to write it. */
  any(): Expression {
    if (this.#anyText === undefined) {
      const rest = this.#rules.declare("characters");
      rest.definition = choice(sequence(use(this.#character()), use(rest)), text('"'));
      this.#anyText = this.#rules.define("string", sequence(text('"'), use(rest)));
    }
    return use(this.#anyText);
  }

  /** A text of so many code points. */
  ofLength(min: number, max: number | undefined): Expression {
    if (min === 0 && max === undefined) return this.any();
    const character = use(this.#character());
    return sequence(text('"'), this.repetitions.of(character, min, max, text('"')));
  }

  /**
   * A text that an automaton accepts, each written in one way only.
   *
   * @throws {TooManyStates}
   */
  accepted(counted: Counted): Expression {
    const { dfa, min, max } = counted;
    let known = this.#automata.get(dfa);
    if (known === undefined) {
      known = new Map();
      this.#automata.set(dfa, known);
    }
    const key = `${min},${max}`;
    let expression = known.get(key);
    if (expression === undefined) {
      expression = sequence(text('"'), this.#spelled.expression(counted, text('"')));
      if (expression.kind !== "text") expression = use(this.#rules.define("text", expression));
      known.set(key, expression);
    }
    return expression;
  }

  /** Any text but these, each written in one way only. */
  otherThan(texts: readonly string[]): Expression {
    const key = JSON.stringify(texts);
    let expression = this.#others.get(key);
    if (expression === undefined) {
      const spell = (characters: CharSet) => this.#spell(characters);
      const other = otherTexts(texts, text('"'), this.#rules, spell);
      expression = use(this.#rules.define("text", sequence(text('"'), other)));
      this.#others.set(key, expression);
    }
    return expression;
  }

  /** A number that an automaton accepts. */
  number(dfa: Dfa, hint: string): Expression {
    let shared = numbers.get(dfa);
    if (shared === undefined) {
      const rules = new GrammarRules();
      const expression = use(rules.share(hint, new TextGrammar(rules).literal(dfa)));
      shared = { rules, expression };
      numbers.set(dfa, shared);
    }
    if (!this.#numbers.has(dfa)) this.#rules.include(shared.rules);
    this.#numbers.add(dfa);
    return shared.expression;
  }

  /** What an automaton accepts, as it stands. */
  literal(dfa: Dfa): Expression {
    return this.#literal.expression({ dfa, min: 0, max: undefined }, EMPTY);
  }

  #character(): Rule {
    if (this.#anyCharacter === undefined) {
      const hex = set(HEX);
      const d = set(charSet([0x44, 0x44], [0x64, 0x64]));
      const behind = choice(
        set(charSet(...[...'"\\/bfnrt'].map((c) => [c.charCodeAt(0), c.charCodeAt(0)] as const))),
        sequence(
          text("u"),
          choice(
            sequence(set(difference(HEX, charSet([0x44, 0x44], [0x64, 0x64]))), hex, hex, hex),
            sequence(
              d,
              choice(
                sequence(set(charSet([0x30, 0x37])), hex, hex),
                // A character beyond the basic plane is a pair of these.
                sequence(
                  set(charSet([0x38, 0x39], [0x41, 0x42], [0x61, 0x62])),
                  hex,
                  hex,
                  text("\\u"),
                  d,
                  set(charSet([0x43, 0x46], [0x63, 0x66])),
                  hex,
                  hex,
                ),
              ),
            ),
          ),
        ),
      );
      const escaped = this.#rules.define("escape", behind);
      this.#anyCharacter = this.#rules.define(
        "character",
        choice(set(RAW), sequence(text("\\"), use(escaped))),
      );
    }
    return this.#anyCharacter;
  }

  #stand(characters: CharSet): Expression {
    const key = `=${characters.join(",")}`;
    let expression = this.#sets.get(key);
    if (expression === undefined) {
      expression = this.#shared(plain(set(characters)));
      this.#sets.set(key, expression);
    }
    return expression;
  }

  /** One of these characters, as JSON.stringify() writes it. */
  #spell(characters: CharSet): Expression {
    const key = characters.join(",");
    let expression = this.#sets.get(key);
    if (expression === undefined) {
      expression = this.#shared(this.#spelling(characters));
      this.#sets.set(key, expression);
    }
    return expression;
  }

  #spelling(characters: CharSet): Expression {
    const raw = plain(set(intersection(characters, RAW)));
    const others = difference(characters, RAW);
    if (others.length === 0) return raw;
    const key = others.join(",");
    let escaped = this.#escapes.get(key);
    if (escaped === undefined) {
      const escapes = escapesOf(others);
      // Most sets have all of them or none.
      const several = escapes.kind === "choice";
      escaped = several ? use(this.#rules.define("escaped", escapes)) : escapes;
      this.#escapes.set(key, escaped);
    }
    return choice(raw, sequence(text("\\"), escaped));
  }

  /** What is long to write is written once. */
  #shared(expression: Expression): Expression {
    const long = expression.kind === "set" && expression.set.length > MAX_WRITTEN_RANGES * 2;
    if (!long && expression.kind !== "choice") return expression;
    return use(this.#rules.define("one-of", expression));
  }
}

/** What stands behind a backslash for characters that cannot stand for themselves. */
function escapesOf(characters: CharSet): Expression {
  const escapes: Expression[] = [];
  const short: [number, number][] = [];
  const long: [string, number[]][] = [
    ["0", []],
    ["1", []],
  ];
  for (const [from, to] of rangesOf(characters)) {
    for (let codePoint = from; codePoint <= to; codePoint++) {
      const letter = SHORT[codePoint]?.charCodeAt(0);
      if (letter !== undefined) short.push([letter, letter]);
      else long[codePoint >> 4]![1].push(codePoint.toString(16).at(-1)!.charCodeAt(0));
    }
  }
  if (short.length > 0) escapes.push(set(charSet(...short)));
  for (const [digit, last] of long) {
    if (last.length === 0) continue;
    escapes.push(sequence(text(`u00${digit}`), set(charSet(...last.map((c) => [c, c] as const)))));
  }
  return choice(...escapes.map(plain));
}

/** A set of one is a text. */
function plain(expression: Expression): Expression {
  if (expression.kind !== "set") return expression;
  const [from, to] = expression.set;
  return expression.set.length === 2 && from === to
    ? text(String.fromCodePoint(from!))
    : expression;
}
