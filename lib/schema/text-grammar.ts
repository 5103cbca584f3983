import { AutomatonGrammar } from "./automaton-grammar.js";
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
  has,
  intersection,
  rangesOf,
} from "./language/char-set.js";
import type { Dfa } from "./language/dfa.js";
import { type Counted, withoutIdleLimit } from "./language/text-lengths.js";
import { listedTexts } from "./listed-texts.js";
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

type KnownRules = WeakMap<Dfa, Map<string, SharedRules>>;

/** Rules of automata are the same in all grammars: most have some of a number, and they are many. */
const inAllGrammars: KnownRules = new WeakMap();

/** What is made of an automaton, once for each name. */
function sharedRules(
  all: KnownRules,
  dfa: Dfa,
  name: string,
  make: (rules: GrammarRules) => Expression,
): SharedRules {
  let known = all.get(dfa);
  if (known === undefined) {
    known = new Map();
    all.set(dfa, known);
  }
  let made = known.get(name);
  if (made === undefined) {
    const rules = new GrammarRules();
    made = { rules, expression: make(rules) };
    known.set(name, made);
  }
  return made;
}

/** Rules for texts of JSON, between their quotes. */
export class TextGrammar {
  readonly #rules: GrammarRules;
  readonly #known = new Map<CharSet, Expression>();
  readonly #sets = new Map<string, Expression>();
  readonly #others = new Map<string, Expression>();
  readonly #escapes = new Map<string, Expression>();
  readonly #counted: KnownRules = new WeakMap();
  readonly #included = new Set<SharedRules>();
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
   * A text that an automaton accepts, each written in one way only. `places`: how many rules there may be
   * for states and numbers of characters.
   *
   * @throws {TooManyStates}
   */
  accepted(texts: Counted, places?: number): Expression {
    const counted = withoutIdleLimit(texts);
    const { dfa, min, max } = counted;
    // An automaton may outlive the grammar, and there are many lengths.
    const known = min === 0 && max === undefined ? inAllGrammars : this.#counted;
    return this.#include(
      sharedRules(known, dfa, `text,${min},${max}`, (rules) => {
        const spelled = new TextGrammar(rules).#spelled.expression(counted, text('"'), places);
        const whole = sequence(text('"'), spelled);
        return whole.kind === "text" ? whole : use(rules.share("text", whole));
      }),
    );
  }

  /** Any text but these, each written in one way only. */
  otherThan(texts: readonly string[]): Expression {
    const key = JSON.stringify(texts);
    let expression = this.#others.get(key);
    if (expression === undefined) {
      const spell = (letters: readonly string[]) => this.#spell(setOf(letters));
      const beside = (letters: readonly string[]) => this.#spelling(writingBeside(letters));
      const other = otherTexts(texts, text('"'), this.#rules, { spell, beside });
      expression = use(this.#rules.define("text", sequence(text('"'), other)));
      this.#others.set(key, expression);
    }
    return expression;
  }

  /** A number that an automaton accepts. */
  number(dfa: Dfa, hint: string): Expression {
    return this.#include(
      sharedRules(inAllGrammars, dfa, hint, (rules) =>
        use(rules.share(hint, new TextGrammar(rules).#number(dfa))),
      ),
    );
  }

  #number(dfa: Dfa): Expression {
    return this.#literal.expression({ dfa, min: 0, max: undefined }, EMPTY);
  }

  #include(made: SharedRules): Expression {
    if (!this.#included.has(made)) this.#rules.include(made.rules);
    this.#included.add(made);
    return made.expression;
  }

  /** One of these texts, as they stand. */
  listed(texts: readonly string[]): Expression {
    return listedTexts(texts, this.#rules, (letters) => this.#stand(setOf(letters)));
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

  /** One of these characters, as JSON.stringify() writes it: most come as the same object again. */
  #spell(characters: CharSet): Expression {
    let expression = this.#known.get(characters);
    if (expression === undefined) {
      expression = this.#spellAnew(characters);
      this.#known.set(characters, expression);
    }
    return expression;
  }

  #spellAnew(characters: CharSet): Expression {
    const [from, to] = characters;
    if (characters.length === 2 && from === to && has(RAW, from!)) {
      return text(String.fromCodePoint(from!));
    }
    return this.#sets.get(characters.join(",")) ?? this.#spelling(writingOf(characters));
  }

  #spelling(writing: Writing): Expression {
    let expression = this.#sets.get(writing.name);
    if (expression === undefined) {
      const { raw, escaped } = writing;
      const all = escaped.length === 0 ? raw : choice(raw, this.#escaping(escaped));
      expression = this.#shared(all);
      this.#sets.set(writing.name, expression);
    }
    return expression;
  }

  /** One of these behind a backslash. */
  #escaping(characters: CharSet): Expression {
    const key = characters.join(",");
    let expression = this.#escapes.get(key);
    if (expression === undefined) {
      const escapes = escapesOf(characters);
      // Most sets have all of them or none.
      const several = escapes.kind === "choice";
      const behind = several ? use(this.#rules.defineSet("escaped", escapes)) : escapes;
      expression = sequence(text("\\"), behind);
      this.#escapes.set(key, expression);
    }
    return expression;
  }

  /** What is long to write is written once. */
  #shared(expression: Expression): Expression {
    const long = expression.kind === "set" && expression.set.length > MAX_WRITTEN_RANGES * 2;
    if (!long && expression.kind !== "choice") return expression;
    return use(this.#rules.defineSet("one-of", expression));
  }
}

function setOf(letters: readonly string[]): CharSet {
  return charSet(...letters.map((letter) => pair(letter.codePointAt(0)!)));
}

function pair(codePoint: number): readonly [number, number] {
  return [codePoint, codePoint];
}

/** Characters by how they are written. */
interface Writing {
  /** Equal for the same characters only. */
  readonly name: string;
  readonly raw: Expression;
  readonly escaped: CharSet;
}

function writingOf(characters: CharSet): Writing {
  const raw = plain(set(intersection(characters, RAW)));
  return { name: characters.join(","), raw, escaped: difference(characters, RAW) };
}

/** Names begin alike in all schemas. */
const besides = new Map<string, Writing>();
const MOST_BESIDES = 2_000;

function writingBeside(letters: readonly string[]): Writing {
  const key = letters.join("");
  let writing = besides.get(key);
  if (writing === undefined) {
    if (besides.size >= MOST_BESIDES) besides.clear();
    writing = writingOf(difference(EVERY, setOf(letters)));
    besides.set(key, writing);
  }
  return writing;
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
