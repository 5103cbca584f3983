import { type AST, RegExpParser } from "@eslint-community/regexpp";
import { type Budget, type Limits, TooManyStates } from "./budget.js";
import {
  BEYOND_BMP,
  type CharSet,
  charSet,
  difference,
  EVERY,
  has,
  intersection,
  SURROGATES,
  single,
  union,
} from "./char-set.js";
import { determinize, overCharacters } from "./determinize.js";
import { type Dfa, intersect, subtract } from "./dfa.js";
import { KeptAutomata } from "./kept-automata.js";
import {
  hasLookahead,
  isEdge,
  isLookahead,
  lookedFor,
  looksBack,
  type OneCharacter,
  waysOf,
} from "./lookarounds.js";
import { EDGE, type Neighbour, Nfa } from "./nfa.js";
import { parseRegex, RegexProblem, tooDeep } from "./regex-syntax.js";
import { propertySet } from "./unicode-properties.js";

/** Of a pattern's parts, bounded repetitions written out. */
const MAX_PARTS = 30_000;
export const MAX_STATES = 8_000;
const MAX_PATTERN_LENGTH = 20_000;
/** Of groups that are written out for the lookaheads in them. */
const MAX_WAYS = 100;
/** Each is an automaton that the rest of the pattern's is combined with. */
const MAX_LOOKAHEADS = 20;
/** To find the characters that have a property takes as long as so many steps. */
const PROPERTY_STEPS = 50_000;

/** Schemas ask for the same ones again and again. */
const kept = new KeptAutomata({ automata: 200, statesOfEach: 500 });

const DIGIT: CharSet = [0x30, 0x39];
const LINE_ENDS = charSet([0x0a, 0x0a], [0x0d, 0x0d], [0x2028, 0x2029]);
const SPACE = charSet(
  ...([
    [0x09, 0x0d],
    [0x20, 0x20],
    [0xa0, 0xa0],
    [0x1680, 0x1680],
    [0x2000, 0x200a],
  ] as const),
  ...([
    [0x2028, 0x2029],
    [0x202f, 0x202f],
    [0x205f, 0x205f],
    [0x3000, 0x3000],
  ] as const),
  [0xfeff, 0xfeff],
);
const WORD: CharSet = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];
const UNITS: CharSet = [0, 0xffff];

/**
 * The texts in which ECMAScript finds a match of the pattern, read with the flag u where it can be, as
 * JSON Schema wants it, and without where it cannot.
 *
 * @throws {RegexProblem}
 */
export function compileRegex(source: string, budget: Budget): Dfa {
  try {
    return kept.get(source, budget, () => compile(source, budget));
  } catch (error) {
    if (error instanceof TooManyStates) {
      throw new RegexProblem("inexpressible", `its automaton would have ${error.message}`);
    }
    throw error instanceof RangeError ? tooDeep() : error;
  }
}

function compile(source: string, budget: Budget): Dfa {
  if (source.length > MAX_PATTERN_LENGTH) {
    throw new RegexProblem("inexpressible", `it has more than ${MAX_PATTERN_LENGTH} characters`);
  }
  const { pattern, unicode } = parseRegex(source);
  const dfa = new RegexCompiler(unicode, budget).compile(pattern.alternatives);
  if (unicode) return dfa;
  return overCharacters(dfa, { surrogates: SURROGATES, beyond: BEYOND_BMP }, budget);
}

/** Stands for a ^ where a part of a pattern is looked at alone. */
const HERE = new RegExpParser().parsePattern("^").alternatives[0]?.elements[0] as AST.Element;

class RegexCompiler {
  readonly #unicode: boolean;
  readonly #limits: Limits;
  #nfa = new Nfa(MAX_PARTS);
  readonly #sets = new Map<AST.Element, CharSet>();
  readonly #neighbours = new Map<string, Neighbour>();
  #ways = 0;
  #lookaheads = 0;

  constructor(unicode: boolean, budget: Budget) {
    this.#unicode = unicode;
    this.#limits = { states: MAX_STATES, budget };
  }

  /** All that a character can be, or half of one. */
  get #every(): CharSet {
    return this.#unicode ? EVERY : UNITS;
  }

  compile(alternatives: readonly AST.Alternative[]): Dfa {
    return this.#search(alternatives.map(({ elements }) => elements));
  }

  #search(alternatives: readonly (readonly AST.Element[])[]): Dfa {
    const outer = this.#nfa;
    this.#nfa = new Nfa(MAX_PARTS);
    const every = this.#every;
    const start = this.#nfa.state();
    const end = this.#nfa.state();
    for (const elements of alternatives) {
      let from = start;
      // Where it must begin at the start, looking for it elsewhere only makes states.
      const [first] = elements;
      if (!isEdge(first, "start")) {
        from = this.#nfa.state();
        this.#nfa.free(start, from);
        this.#nfa.step(from, from, every);
      }
      this.#anywhere(elements, from, end);
    }
    const dfa = determinize(this.#nfa, { start, end, every, limits: this.#limits });
    this.#nfa = outer;
    return dfa;
  }

  /** Where a pattern may be anywhere, what must be before it is a part of it. */
  #anywhere(elements: readonly AST.Element[], from: number, to: number): void {
    const [first, ...rest] = elements;
    const isPart = first?.type === "Assertion" && first.kind === "lookbehind" && !first.negate;
    if (!isPart) {
      this.#topSequence(elements, from, to);
      return;
    }
    const before = this.#nfa.state();
    this.#alternatives(first.alternatives, from, before);
    this.#topSequence(rest, before, to);
  }

  /** A lookahead here says something about all the rest of the text: so groups that have some are written out. */
  #topSequence(elements: readonly AST.Element[], from: number, to: number): void {
    const at = elements.findIndex(hasLookahead);
    const ways = at < 0 ? undefined : waysOf(elements[at]!);
    if (ways === undefined) {
      this.#sequence(elements, from, to);
      return;
    }
    if (!isLookahead(elements[at]!)) {
      this.#ways += ways.length;
      if (this.#ways > MAX_WAYS)
        throw inexpressible("too many lookaheads in groups", elements[at]!);
      for (const way of ways) {
        this.#topSequence([...elements.slice(0, at), ...way, ...elements.slice(at + 1)], from, to);
      }
      return;
    }
    const before = this.#nfa.state();
    this.#sequence(elements.slice(0, at), from, before);
    const look = elements[at] as AST.LookaheadAssertion;
    if (++this.#lookaheads > MAX_LOOKAHEADS) {
      throw inexpressible(`more than ${MAX_LOOKAHEADS} lookaheads`, look);
    }
    const ahead = look.alternatives.map((one) => one.elements);
    const rest = elements.slice(at + 1);
    for (const part of [rest, ...ahead]) {
      if (part.some((element) => looksBack(element, at === 1 && isEdge(elements[0], "start")))) {
        throw inexpressible("a lookahead beside what looks back", look);
      }
    }
    const dfa = (look.negate ? subtract : intersect)(
      this.#fromHere([rest]),
      this.#fromHere(ahead),
      this.#limits,
    );
    this.#nfa.embed(dfa, before, to);
  }

  /** The texts that begin with one of these. */
  #fromHere(alternatives: readonly (readonly AST.Element[])[]): Dfa {
    return this.#search(alternatives.map((elements) => [HERE, ...elements]));
  }

  #alternatives(alternatives: readonly AST.Alternative[], from: number, to: number): void {
    for (const { elements } of alternatives) this.#sequence(elements, from, to);
  }

  #sequence(elements: readonly AST.Element[], from: number, to: number): void {
    let at = from;
    for (const element of elements) {
      const next = this.#nfa.state();
      this.#element(element, at, next);
      at = next;
    }
    this.#nfa.free(at, to);
  }

  #element(element: AST.Element, from: number, to: number): void {
    switch (element.type) {
      case "Group":
        if (element.modifiers !== null) throw inexpressible("flags inside it", element);
        this.#alternatives(element.alternatives, from, to);
        return;
      case "CapturingGroup":
        this.#alternatives(element.alternatives, from, to);
        return;
      case "Quantifier":
        this.#quantifier(element, from, to);
        return;
      case "Assertion":
        this.#assertion(element, from, to);
        return;
      case "Backreference":
        throw inexpressible("a backreference", element);
      case "ExpressionCharacterClass":
        throw inexpressible("a set operation", element);
      default:
        this.#nfa.step(
          from,
          to,
          this.#once(element, () => this.#set(element)),
        );
    }
  }

  #quantifier({ min, max, element }: AST.Quantifier, from: number, to: number): void {
    let at = from;
    for (let i = 0; i < min; i++) {
      const next = this.#nfa.state();
      this.#element(element, at, next);
      at = next;
    }
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.#nfa.state();
      const back = this.#nfa.state();
      this.#nfa.free(at, loop);
      this.#element(element, loop, back);
      this.#nfa.free(back, loop);
      this.#nfa.free(loop, to);
      return;
    }
    for (let i = min; i < max; i++) {
      const next = this.#nfa.state();
      this.#nfa.free(at, to);
      this.#element(element, at, next);
      at = next;
    }
    this.#nfa.free(at, to);
  }

  #assertion(assertion: AST.Assertion, from: number, to: number): void {
    switch (assertion.kind) {
      case "start":
        this.#nfa.free(from, to, { before: EDGE });
        return;
      case "end":
        this.#nfa.free(from, to, { after: EDGE });
        return;
      case "word": {
        const [word, other] = [this.#neighbour(WORD), this.#neighbour(WORD, true)];
        const [same, changed] = assertion.negate ? [word, other] : [other, word];
        this.#nfa.free(from, to, { before: word, after: same });
        this.#nfa.free(from, to, { before: other, after: changed });
        return;
      }
      default: {
        const set = this.#oneOf(assertion);
        if (set === undefined) throw inexpressible(`a ${assertion.kind}`, assertion);
        const side = assertion.kind === "lookahead" ? "after" : "before";
        this.#nfa.free(from, to, { [side]: this.#neighbour(set, assertion.negate) });
      }
    }
  }

  /** What a lookaround asks for, if that is one character. */
  #oneOf(assertion: AST.LookaroundAssertion): CharSet | undefined {
    const characters = lookedFor(assertion);
    if (characters === undefined) return undefined;
    return this.#once(assertion, () => union(...characters.map((one) => this.#set(one)), []));
  }

  /** One of a set, or anything else. */
  #neighbour(set: CharSet, negate = false): Neighbour {
    const key = `${negate} ${set.join(",")}`;
    let neighbour = this.#neighbours.get(key);
    if (neighbour === undefined) {
      neighbour = { set: negate ? difference(this.#every, set) : set, edge: negate };
      this.#neighbours.set(key, neighbour);
    }
    return neighbour;
  }

  /** What is repeated comes again and again. */
  #once(element: AST.Element, find: () => CharSet): CharSet {
    let set = this.#sets.get(element);
    if (set === undefined) {
      set = find();
      this.#sets.set(element, set);
    }
    return set;
  }

  #set(element: OneCharacter): CharSet {
    switch (element.type) {
      case "Character":
        if (has(SURROGATES, element.value)) throw inexpressible("half a character", element);
        return single(element.value);
      case "CharacterSet":
        return this.#known(element);
      case "CharacterClass": {
        const set = union(...element.elements.map((part) => this.#part(part)), []);
        return element.negate ? difference(this.#every, set) : set;
      }
    }
  }

  #part(part: AST.CharacterClassElement): CharSet {
    switch (part.type) {
      case "Character":
      case "CharacterSet":
        return this.#set(part);
      case "CharacterClassRange": {
        const range: CharSet = [part.min.value, part.max.value];
        const cut = intersection(range, SURROGATES);
        if (!this.#unicode && cut.length > 0 && cut[1]! - cut[0]! < 0x7ff) {
          throw inexpressible("half a character", part);
        }
        return this.#unicode ? intersection(range, EVERY) : range;
      }
      default:
        throw inexpressible("a set operation", part);
    }
  }

  #known(set: AST.CharacterSet): CharSet {
    const every = this.#every;
    switch (set.kind) {
      case "any":
        return difference(every, LINE_ENDS);
      case "digit":
        return set.negate ? difference(every, DIGIT) : DIGIT;
      case "space":
        return set.negate ? difference(every, SPACE) : SPACE;
      case "word":
        return set.negate ? difference(every, WORD) : WORD;
      case "property":
        this.#limits.budget.spend(PROPERTY_STEPS);
        return propertySet(set.raw);
    }
  }
}

function inexpressible(what: string, { raw }: AST.Node): RegexProblem {
  return new RegexProblem("inexpressible", `it has ${what}, ${raw}`);
}
