import {
  choice,
  EMPTY,
  type Expression,
  type GrammarRules,
  NOTHING,
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
import { type Dfa, edgesOf, TooManyStates } from "./language/dfa.js";

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
/** From here on, limits are counted in blocks. */
const MAX_COUNTED = 128;
const BLOCK = 32;
const MAX_WRITTEN_RANGES = 6;
/** States of an automaton, times the lengths that they are told apart by. */
const MAX_PLACES = 20_000;

/** Rules for texts of JSON, between their quotes. */
export class TextGrammar {
  readonly #rules: GrammarRules;
  readonly #sets = new Map<string, Expression>();
  readonly #automata = new Map<Dfa, Map<string, Expression>>();
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

  /** What an automaton accepts, as it stands: numbers and literals. */
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
      expression = this.#shared(spelling(characters));
      this.#sets.set(key, expression);
    }
    return expression;
  }

  /** What is long to write is written once. */
  #shared(expression: Expression): Expression {
    const long = expression.kind === "set" && expression.set.length > MAX_WRITTEN_RANGES * 2;
    if (!long && expression.kind !== "choice") return expression;
    return use(this.#rules.define("one-of", expression));
  }
}

function spelling(characters: CharSet): Expression {
  const escapes: Expression[] = [];
  const short: [number, number][] = [];
  const long: [string, number[]][] = [
    ["0", []],
    ["1", []],
  ];
  for (const [from, to] of rangesOf(difference(characters, RAW))) {
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
  const raw = set(intersection(characters, RAW));
  if (escapes.length === 0) return plain(raw);
  const escaped = sequence(text("\\"), choice(...escapes.map(plain)));
  return choice(plain(raw), escaped);
}

/** A set of one is a text. */
function plain(expression: Expression): Expression {
  if (expression.kind !== "set") return expression;
  const [from, to] = expression.set;
  return expression.set.length === 2 && from === to
    ? text(String.fromCodePoint(from!))
    : expression;
}

/** An automaton whose texts have so many characters. */
export interface Counted {
  readonly dfa: Dfa;
  readonly min: number;
  readonly max: number | undefined;
}

interface Place {
  readonly state: number;
  /** The characters before it, as far as they count. */
  readonly length: number;
}

/**
 * The texts of an automaton with something behind each: a rule for every state (and length), so that at
 * each character there is but one way on.
 */
export class AutomatonGrammar {
  readonly #rules: GrammarRules;
  readonly #repetitions: Repetitions;
  readonly #spell: (set: CharSet) => Expression;

  constructor(rules: GrammarRules, repetitions: Repetitions, spell: (set: CharSet) => Expression) {
    this.#rules = rules;
    this.#repetitions = repetitions;
    this.#spell = spell;
  }

  /** @throws {TooManyStates} */
  expression({ dfa, min, max }: Counted, end: Expression): Expression {
    const edges = edgesOf(dfa);
    const cap = max ?? min;
    const places: Place[] = [{ state: 0, length: 0 }];
    const known = new Map<number, number>([[0, 0]]);
    const ways: (readonly (readonly [place: number, set: CharSet])[])[] = [];
    const arrivals = [0];
    const counting = min > 0 || max !== undefined;
    const isLoop = (state: number) =>
      counting &&
      dfa.accepting[state] === 1 &&
      edges[state]!.length === 1 &&
      edges[state]![0]![0] === state;
    for (const { state, length } of places) {
      const full = max !== undefined && length >= max;
      const targets = full || isLoop(state) ? [] : edges[state]!;
      ways.push(
        targets.map(([target, characters]) => {
          const next = { state: target, length: Math.min(length + 1, cap) };
          const key = next.state * (cap + 1) + next.length;
          let place = known.get(key);
          if (place === undefined) {
            if (counting && places.length >= MAX_PLACES)
              throw new TooManyStates(`more than ${MAX_PLACES} states`);
            place = places.push(next) - 1;
            known.set(key, place);
            arrivals.push(0);
          }
          arrivals[place] = arrivals[place]! + 1;
          return [place, characters] as const;
        }),
      );
    }
    const ending = (place: number): Expression[] => {
      const { state, length } = places[place]!;
      if (isLoop(state)) {
        const part = this.#spell(edges[state]![0]![1]);
        const most = max === undefined ? undefined : max - length;
        return [this.#repetitions.of(part, Math.max(min - length, 0), most, end)];
      }
      return dfa.accepting[state] === 1 && length >= min ? [end] : [];
    };
    const made = new Map<number, Rule>();
    const waiting: number[] = [];
    const ruleOf = (place: number) => {
      let rule = made.get(place);
      if (rule === undefined) {
        rule = this.#rules.declare("then");
        made.set(place, rule);
        waiting.push(place);
      }
      return rule;
    };
    /** What follows, without a rule where only one way leads to a place and one from it. */
    const after = (first: number): Expression => {
      const parts: Expression[] = [];
      let place = first;
      while (arrivals[place] === 1) {
        const ends = ending(place);
        if (ways[place]!.length + ends.length !== 1) break;
        const [way] = ways[place]!;
        if (way === undefined) return sequence(...parts, ends[0]!);
        parts.push(this.#spell(way[1]));
        place = way[0];
      }
      return sequence(...parts, use(ruleOf(place)));
    };
    const first = ruleOf(0);
    for (const place of waiting) {
      const next = ways[place]!.map(([target, set]) => sequence(this.#spell(set), after(target)));
      made.get(place)!.definition = choice(...next, ...ending(place));
    }
    return arrivals[0] === 0 ? first.definition! : use(first);
  }
}

/**
 * Parts so many times. Few are counted one by one; of many, whole blocks first, so that the rules stay
 * few: there are two ways on at a time instead of one, or some more for blocks of blocks.
 */
export class Repetitions {
  readonly #rules: GrammarRules;
  readonly #known = new Map<Expression, Map<string, Expression>>();

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
      let rest = end;
      for (let i = 1; i <= max; i++) {
        const before = rest;
        rest = this.#once(part, end, `most ${i}`, () =>
          use(this.#rules.define("most", choice(sequence(part, before), end))),
        );
      }
      return rest;
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

  #once(part: Expression, end: Expression, name: string, make: () => Expression): Expression {
    let known = this.#known.get(part);
    if (known === undefined) {
      known = new Map();
      this.#known.set(part, known);
    }
    const key = `${name} ${end.kind === "text" ? JSON.stringify(end.text) : this.#numberOf(end)}`;
    let expression = known.get(key);
    if (expression === undefined) {
      expression = make();
      known.set(key, expression);
    }
    return expression;
  }

  readonly #numbers = new Map<Expression, number>();

  #numberOf(expression: Expression): number {
    let number = this.#numbers.get(expression);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(expression, number);
    }
    return number;
  }
}
