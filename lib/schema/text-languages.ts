import { type AtomFormula, rangeOf } from "./formula.js";
import { attempt, Budget, type Limits, TooManyStates } from "./language/budget.js";
import {
  ANY_TEXT,
  complement,
  type Dfa,
  intersect,
  isEmpty,
  matches,
  ofTexts,
  stateCount,
  subtract,
} from "./language/dfa.js";
import { countableFormat, formatLanguage } from "./language/formats.js";
import { compileRegex, MAX_STATES } from "./language/regex.js";
import { type Counted, longestText, withLength } from "./language/text-lengths.js";

/** Where fewer could be counted, texts are not cut down to them. */
const FEWEST_CHARACTERS = 60;
/** More are not worth it, only to find out that nothing matches. */
const MAX_TRIED_STATES = 2_000;

/** The automata of a schema's texts, each made once. */
export class TextLanguages {
  readonly budget = new Budget();
  readonly #patterns = new Map<string, Dfa>();
  readonly #matches = new Map<string, boolean>();
  readonly #impossible = new Map<string, boolean>();
  readonly #others = new Map<string, Dfa>();

  pattern(source: string): Dfa {
    let dfa = this.#patterns.get(source);
    if (dfa === undefined) {
      dfa = compileRegex(source, this.budget);
      this.#patterns.set(source, dfa);
    }
    return dfa;
  }

  isMatch(source: string, text: string): boolean {
    const key = JSON.stringify([source, text]);
    let known = this.#matches.get(key);
    if (known === undefined) {
      known = matches(this.pattern(source), text);
      this.#matches.set(key, known);
    }
    return known;
  }

  /** Whether it is certain that no text satisfies all. */
  isImpossible(atoms: readonly AtomFormula[]): boolean {
    const { min, max } = rangeOf("length", atoms);
    if (max !== undefined && min > max) return true;
    const lengths = atoms.filter((atom) => atom.kind === "length");
    const patterns = atoms.filter((atom) => atom.kind === "pattern");
    if (patterns.length === 0) return false;
    if (patterns.length === 1 && !patterns[0]!.negated && lengths.length === 0) return false;
    const key = [...patterns, ...lengths].map(({ id }) => id).join(",");
    let known = this.#impossible.get(key);
    if (known === undefined) {
      known = this.#isEmpty([...patterns, ...lengths]);
      this.#impossible.set(key, known);
    }
    return known;
  }

  #isEmpty(atoms: readonly AtomFormula[]): boolean {
    const dfa = attempt(() => this.counted(atoms, MAX_TRIED_STATES));
    return dfa !== undefined && !(dfa instanceof TooManyStates) && isEmpty(dfa);
  }

  /**
   * The texts that satisfy all atoms, lengths aside; undefined where nothing else is asked for.
   *
   * @throws {TooManyStates}
   */
  language(atoms: readonly AtomFormula[], states = MAX_STATES): Dfa | undefined {
    return this.#language(atoms, states, formatLanguage);
  }

  #language(
    atoms: readonly AtomFormula[],
    states: number,
    formatOf: (name: string) => Dfa | "unsupported" | undefined,
  ): Dfa | undefined {
    const limits = this.limits(states);
    let dfa: Dfa | undefined;
    for (const atom of atoms) {
      switch (atom.kind) {
        case "pattern": {
          const narrow = atom.negated ? subtract : intersect;
          dfa = narrow(dfa ?? ANY_TEXT, this.pattern(atom.source), limits);
          break;
        }
        case "format": {
          const language = formatOf(atom.name);
          if (typeof language === "object") dfa = intersect(dfa ?? ANY_TEXT, language, limits);
          break;
        }
        case "values": {
          const texts = atom.values.filter((value) => typeof value === "string");
          if (!atom.negated) dfa = intersect(dfa ?? ANY_TEXT, this.ofTexts(texts), limits);
          else if (texts.length > 0) dfa = subtract(dfa ?? ANY_TEXT, this.ofTexts(texts), limits);
          break;
        }
        default:
      }
    }
    return dfa;
  }

  /**
   * The texts that satisfy all atoms, with their lengths; undefined for all texts.
   *
   * @throws {TooManyStates}
   */
  counted(atoms: readonly AtomFormula[], states = MAX_STATES): Dfa | undefined {
    const dfa = this.language(atoms, states);
    const { min, max } = rangeOf("length", atoms);
    if (min === 0 && max === undefined) return dfa;
    return withLength({ dfa: dfa ?? ANY_TEXT, min, max }, this.limits(states));
  }

  /**
   * The same, but where too many characters would have to be counted only texts of fewer.
   *
   * @throws {TooManyStates}
   */
  countedOrShorter(atoms: readonly AtomFormula[]): Dfa | undefined {
    const all = attempt(() => this.counted(atoms));
    if (!(all instanceof TooManyStates)) return all;
    const shorter = this.shorter(atoms, MAX_STATES);
    if (shorter === undefined) throw all;
    return withLength(shorter, this.limits(MAX_STATES));
  }

  /**
   * As many of the texts that satisfy all atoms as can be counted with so many places, a state and a number
   * of characters each: no longer ones, which are rare. undefined where these would be too few.
   */
  shorter(atoms: readonly AtomFormula[], places: number): Counted | undefined {
    const texts = attempt(() => this.#shorter(atoms, places));
    return texts instanceof TooManyStates ? undefined : texts;
  }

  #shorter(atoms: readonly AtomFormula[], places: number): Counted | undefined {
    const longest = new Map(atoms.map((atom) => [atom, this.#longest(atom)]));
    const { min } = rangeOf("length", atoms);
    const max = Math.min(...longest.values());
    if (!Number.isFinite(max)) return undefined;
    const countable = (name: string) => countableFormat(name).dfa;
    // What ends by itself has few states for each number of characters.
    const endless = atoms.filter((atom) => longest.get(atom) === Number.POSITIVE_INFINITY);
    const ending = atoms.filter((atom) => !endless.includes(atom));
    const dfa = this.#language(endless, MAX_STATES, countable) ?? ANY_TEXT;
    const most = Math.min(max, Math.floor(places / stateCount(dfa)));
    if (most < Math.max(min, Math.min(max, FEWEST_CHARACTERS))) return undefined;
    const counted = { dfa, min, max: most };
    const narrowing = this.#language(ending, places, countable);
    if (narrowing === undefined) return counted;
    const limits = this.limits(places);
    return { ...counted, dfa: intersect(withLength(counted, limits), narrowing, limits) };
  }

  /** Of the characters that an atom allows. */
  #longest(atom: AtomFormula): number {
    const max = Number.POSITIVE_INFINITY;
    switch (atom.kind) {
      case "length":
        return atom.max ?? max;
      case "format":
        return countableFormat(atom.name).most;
      case "pattern":
        return (atom.negated ? undefined : longestText(this.pattern(atom.source))) ?? max;
      default:
        return max;
    }
  }

  /** @throws {TooManyStates} */
  ofTexts(texts: readonly string[]): Dfa {
    return ofTexts(texts, this.budget);
  }

  /** Of an automaton to be made of others of this schema. */
  limits(states: number): Limits {
    return { states, budget: this.budget };
  }

  /**
   * All texts but these.
   *
   * @throws {TooManyStates}
   */
  otherThan(texts: readonly string[]): Dfa {
    const key = JSON.stringify(texts);
    let dfa = this.#others.get(key);
    if (dfa === undefined) {
      dfa = complement(this.ofTexts(texts));
      this.#others.set(key, dfa);
    }
    return dfa;
  }
}
