import { type Budget, type Limits, TooManyStates } from "./budget.js";
import { type CharSet, EVERY, intersection, partition } from "./char-set.js";
import { type Dfa, explore } from "./dfa.js";
import type { Anchor, FreeStep, Nfa } from "./nfa.js";

/** A character before or behind a place, or the edge of the text. */
type Neighbour = "edge" | "word" | "other";

const NEIGHBOURS: readonly Neighbour[] = ["edge", "word", "other"];
/** Where classes lead is compared with so many others of a state: most states have fewer. */
const FEW = 8;
/** Of all states together: few states can still be of very many parts each. */
const MAX_MEMBERS = 3_000_000;
export const WORD: CharSet = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];

/** States that are reached without a character. */
interface Way {
  readonly states: readonly number[];
  /** Whether the end is among them. */
  readonly ends: boolean;
  /** Per class, where it leads to, once that is known. */
  targets: readonly (Target | undefined)[] | undefined;
}

/** States that a character leads to, and what is made of them behind a word's or another character. */
interface Target {
  readonly states: readonly number[];
  word: State | undefined;
  other: State | undefined;
}

interface State {
  /** By what comes next: the ways are mostly the same one. None where all texts are accepted. */
  readonly ways: readonly Way[];
  readonly size: number;
}

const ALL_TEXTS: State = { ways: [], size: 0 };

export interface Determinizing {
  readonly start: number;
  readonly end: number;
  /** All characters that a text can have. */
  readonly every: CharSet;
  readonly limits: Limits;
}

/**
 * All texts in which a way leads from the start to the end, whatever comes behind it: each state stands for
 * the set of states that the same text leads to.
 *
 * @throws {TooManyStates}
 */
export function determinize(nfa: Nfa, { start, end, every, limits }: Determinizing): Dfa {
  const { sets } = nfa;
  const { classes, members } = partition([every, WORD, ...sets], limits.budget);
  const wordly = new Set(members[1]);
  const classesOf = new Map(sets.map((set, index) => [set, members[index + 2]!]));
  const subsets = new Subsets(nfa, end, classes.length, classesOf, limits.budget);
  let room = MAX_MEMBERS;
  const use = (state: State): State => {
    room -= state.size;
    if (room < 0) throw new TooManyStates("states of too many parts");
    return state.ways.length === 0 ? ALL_TEXTS : state;
  };
  return explore<State>({
    classes,
    start: use(subsets.stateOf([start], "edge")),
    limits,
    next: (state, index) => {
      if (state === ALL_TEXTS) return ALL_TEXTS;
      const next = subsets.next(state, index, wordly.has(index) ? "word" : "other");
      return next && use(next);
    },
    accepts: (state) => state === ALL_TEXTS || state.ways[0]!.ends,
  });
}

/** The sets of an automaton's states, each made once. */
class Subsets {
  readonly #nfa: Nfa;
  readonly #end: number;
  readonly #width: number;
  readonly #budget: Budget;
  readonly #steps: readonly (readonly { to: number; on: readonly number[] }[])[];
  readonly #asking: readonly boolean[];
  readonly #known = new Map<string, State>();
  /** Per state, when it was met last. */
  readonly #met: Int32Array;
  #time = 0;

  constructor(
    nfa: Nfa,
    end: number,
    width: number,
    classesOf: ReadonlyMap<CharSet, readonly number[]>,
    budget: Budget,
  ) {
    this.#nfa = nfa;
    this.#end = end;
    this.#width = width;
    this.#budget = budget;
    this.#steps = nfa.steps.map((some) =>
      some.map(({ to, set }) => ({ to, on: classesOf.get(set)! })),
    );
    this.#asking = nfa.freeSteps.map((some) => some.some(({ anchor }) => anchor !== undefined));
    this.#met = new Int32Array(nfa.steps.length);
  }

  stateOf(states: readonly number[], before: Neighbour): State {
    const key = `${before}:${states.join(",")}`;
    let state = this.#known.get(key);
    if (state === undefined) {
      const ways = this.#ways(states, before);
      const size = ways.reduce((sum, way) => sum + way.states.length, 0);
      state = { ways: ways.every(({ ends }) => ends) ? [] : ways, size };
      this.#known.set(key, state);
    }
    return state;
  }

  /** Behind a character of a class. undefined: nothing that follows is accepted. */
  next(state: State, index: number, character: "word" | "other"): State | undefined {
    const way = state.ways[NEIGHBOURS.indexOf(character)]!;
    if (way.ends) return ALL_TEXTS;
    way.targets ??= this.#targets(way.states);
    const target = way.targets[index];
    if (target === undefined) return undefined;
    const before = this.#nfa.asksForWords ? character : "other";
    target[before] ??= this.stateOf(target.states, before);
    return target[before];
  }

  /** What is reached without a character, for each neighbour that can come next. */
  #ways(states: readonly number[], before: Neighbour): readonly Way[] {
    const other = this.#reach(states, before, "other");
    if (!other.states.some((state) => this.#asking[state])) return [other, other, other];
    const word = this.#nfa.asksForWords ? this.#reach(states, before, "word") : other;
    return [this.#reach(states, before, "edge"), word, other];
  }

  #reach(states: readonly number[], before: Neighbour, after: Neighbour): Way {
    const met = this.#met;
    const time = ++this.#time;
    const found = [...states];
    for (const state of found) met[state] = time;
    for (const state of found) {
      for (const step of this.#nfa.freeSteps[state]!) {
        if (met[step.to] === time || !isOpen(step, before, after)) continue;
        met[step.to] = time;
        found.push(step.to);
      }
    }
    this.#budget.spend(found.length);
    return { states: found, ends: met[this.#end] === time, targets: undefined };
  }

  /** Per class, where the steps lead: mostly one object for the classes that lead to the same. */
  #targets(states: readonly number[]): readonly (Target | undefined)[] {
    const found = new Array<number[] | undefined>(this.#width).fill(undefined);
    for (const from of states) {
      for (const { to, on } of this.#steps[from]!) {
        this.#budget.spend(on.length);
        for (const index of on) {
          const targets = found[index];
          if (targets === undefined) found[index] = [to];
          else targets.push(to);
        }
      }
    }
    const different: Target[] = [];
    return found.map((some) => {
      if (some === undefined) return undefined;
      const ordered = inOrder(some);
      const known = different.find(({ states }) => isEqual(states, ordered));
      if (known !== undefined) return known;
      const target: Target = { states: ordered, word: undefined, other: undefined };
      if (different.length < FEW) different.push(target);
      return target;
    });
  }
}

function isOpen({ anchor }: FreeStep, before: Neighbour, after: Neighbour): boolean {
  return anchor === undefined || holds(anchor, before, after);
}

function holds(anchor: Anchor, before: Neighbour, after: Neighbour): boolean {
  switch (anchor) {
    case "start":
      return before === "edge";
    case "end":
      return after === "edge";
    case "boundary":
      return (before === "word") !== (after === "word");
    case "inside":
      return (before === "word") === (after === "word");
  }
}

/** Each number once; most come in order. */
function inOrder(numbers: number[]): readonly number[] {
  const ordered = numbers.every((number, i) => i === 0 || numbers[i - 1]! < number);
  return ordered ? numbers : [...new Set(numbers)].sort((a, b) => a - b);
}

function isEqual(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((number, i) => number === b[i]);
}

/**
 * An automaton over UTF-16 units as one over characters: one beyond the basic plane is two units, which
 * no set tells apart.
 */
export function overCharacters(
  dfa: Dfa,
  units: { surrogates: CharSet; beyond: CharSet },
  budget: Budget,
): Dfa {
  const width = dfa.classes.length;
  const pair = dfa.classes.findIndex((set) => intersection(set, units.surrogates).length > 0);
  const step = (state: number, column: number) => dfa.table[state * width + column]!;
  const classes = [...dfa.classes.map((set) => intersection(set, EVERY)), units.beyond];
  return explore<number>({
    classes,
    start: 0,
    limits: { states: dfa.accepting.length + 1, budget },
    next: (state, index) => {
      if (index < width) {
        const target = step(state, index);
        return target < 0 || classes[index]!.length === 0 ? undefined : target;
      }
      if (pair < 0) return undefined;
      const half = step(state, pair);
      const target = half < 0 ? half : step(half, pair);
      return target < 0 ? undefined : target;
    },
    accepts: (state) => dfa.accepting[state] === 1,
  });
}
