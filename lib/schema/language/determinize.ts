import { type Budget, type Limits, TooManyStates } from "./budget.js";
import { type CharSet, EVERY, intersection, partition } from "./char-set.js";
import { type Dfa, explore } from "./dfa.js";
import type { Neighbour, Nfa } from "./nfa.js";

/** Where classes lead is compared with so many others of a state: most states have fewer. */
const FEW = 8;
/** Of all states together: few states can still be of very many parts each. */
const MAX_MEMBERS = 2_000_000;
/** Each state has its ways for each kind of characters that they tell apart. */
const MAX_NEIGHBOURS = 100;

/** States that are reached without a character. */
interface Way {
  readonly states: readonly number[];
  /** Whether the end is among them. */
  readonly ends: boolean;
  /** Per class, where it leads to, once that is known. */
  targets: readonly (Target | undefined)[] | undefined;
}

/** States that a character leads to, and what is made of them, by the kind of that character. */
interface Target {
  readonly states: readonly number[];
  readonly next: (State | undefined)[];
}

interface State {
  /** By the kind of what comes next: the ways are mostly the same one. None where all texts are accepted. */
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
  const subsets = new Subsets(nfa, end, every, limits.budget);
  let room = MAX_MEMBERS;
  const use = (state: State): State => {
    room -= state.size;
    if (room < 0) throw new TooManyStates("states of too many parts");
    return state.ways.length === 0 ? ALL_TEXTS : state;
  };
  return explore<State>({
    classes: subsets.classes,
    start: use(subsets.stateOf([start], EDGE_KIND)),
    limits,
    next: (state, index) => {
      if (state === ALL_TEXTS) return ALL_TEXTS;
      const next = subsets.next(state, index);
      return next && use(next);
    },
    accepts: (state) => state === ALL_TEXTS || state.ways[EDGE_KIND]!.ends,
  });
}

/** What is before a place, or comes next, is of one kind where nothing that is asked tells it apart. */
interface Kinds {
  readonly count: number;
  /** Per class. */
  readonly ofClass: readonly number[];
  /** Per neighbour that is asked for, the kinds that it may be of. */
  readonly open: ReadonlyMap<Neighbour, readonly boolean[]>;
}

const EDGE_KIND = 0;

function kindsOf(
  asked: ReadonlySet<Neighbour>,
  width: number,
  classesOf: ReadonlyMap<CharSet, readonly number[]>,
  budget: Budget,
): Kinds {
  budget.spend(asked.size * width);
  const keys = Array.from({ length: width }, () => "");
  for (const { set } of asked) {
    const inside = new Set(classesOf.get(set));
    for (let index = 0; index < width; index++) keys[index] += inside.has(index) ? "1" : "0";
  }
  const kinds = [...new Set(keys)];
  const ofClass = keys.map((key) => kinds.indexOf(key) + 1);
  const open = [...asked].map(
    (one, at) => [one, [one.edge, ...kinds.map((key) => key[at] === "1")]] as const,
  );
  return { count: kinds.length + 1, ofClass, open: new Map(open) };
}

/** A step that takes no character; by kind, whether it may be taken. */
interface OpenStep {
  readonly to: number;
  readonly before: readonly boolean[] | undefined;
  readonly after: readonly boolean[] | undefined;
}

/** The sets of an automaton's states, each made once. */
class Subsets {
  readonly classes: readonly CharSet[];
  readonly #end: number;
  readonly #budget: Budget;
  readonly #steps: readonly (readonly { to: number; on: readonly number[] }[])[];
  readonly #free: readonly (readonly OpenStep[])[];
  /** Per state, whether it matters what comes next. */
  readonly #asking: readonly boolean[];
  readonly #before: Kinds;
  readonly #after: Kinds;
  readonly #known = new Map<string, State>();
  /** Per state, when it was met last. */
  readonly #met: Int32Array;
  #time = 0;

  constructor(nfa: Nfa, end: number, every: CharSet, budget: Budget) {
    const asked = nfa.freeSteps.flat();
    const before = neighbours(asked.map((step) => step.before));
    const after = neighbours(asked.map((step) => step.after));
    const neighbouring = [...before, ...after];
    if (neighbouring.length > MAX_NEIGHBOURS) {
      throw new TooManyStates(`more than ${MAX_NEIGHBOURS} sets of neighbours`);
    }
    const sets = [...nfa.sets, ...neighbouring.map(({ set }) => set)];
    const { classes, members } = partition([every, ...sets], budget);
    const classesOf = new Map(sets.map((set, index) => [set, members[index + 1]!]));
    this.classes = classes;
    this.#end = end;
    this.#budget = budget;
    this.#steps = nfa.steps.map((some) =>
      some.map(({ to, set }) => ({ to, on: classesOf.get(set)! })),
    );
    this.#before = kindsOf(before, classes.length, classesOf, budget);
    this.#after = kindsOf(after, classes.length, classesOf, budget);
    this.#free = nfa.freeSteps.map((some) =>
      some.map((step) => ({
        to: step.to,
        before: step.before && this.#before.open.get(step.before),
        after: step.after && this.#after.open.get(step.after),
      })),
    );
    this.#asking = this.#free.map((some) => some.some(({ after }) => after !== undefined));
    this.#met = new Int32Array(nfa.steps.length);
  }

  /** Behind a character of a kind, or at the beginning. */
  stateOf(states: readonly number[], before: number): State {
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
  next(state: State, index: number): State | undefined {
    const way = state.ways[this.#after.ofClass[index]!]!;
    if (way.ends) return ALL_TEXTS;
    way.targets ??= this.#targets(way.states);
    const target = way.targets[index];
    if (target === undefined) return undefined;
    const kind = this.#before.ofClass[index]!;
    target.next[kind] ??= this.stateOf(target.states, kind);
    return target.next[kind];
  }

  /** What is reached without a character, for each kind of what can come next. */
  #ways(states: readonly number[], before: number): readonly Way[] {
    const first = this.#reach(states, before, EDGE_KIND);
    const differ = first.states.some((state) => this.#asking[state]);
    return Array.from({ length: this.#after.count }, (_, after) =>
      differ && after !== EDGE_KIND ? this.#reach(states, before, after) : first,
    );
  }

  #reach(states: readonly number[], before: number, after: number): Way {
    const met = this.#met;
    const time = ++this.#time;
    const found = [...states];
    for (const state of found) met[state] = time;
    for (const state of found) {
      for (const step of this.#free[state]!) {
        if (met[step.to] === time) continue;
        if (step.before?.[before] === false || step.after?.[after] === false) continue;
        met[step.to] = time;
        found.push(step.to);
      }
    }
    this.#budget.spend(found.length);
    return { states: found, ends: met[this.#end] === time, targets: undefined };
  }

  /** Per class, where the steps lead: mostly one object for the classes that lead to the same. */
  #targets(states: readonly number[]): readonly (Target | undefined)[] {
    const found = new Array<number[] | undefined>(this.classes.length).fill(undefined);
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
      const target: Target = { states: ordered, next: [] };
      if (different.length < FEW) different.push(target);
      return target;
    });
  }
}

/** Each once. */
function neighbours(some: readonly (Neighbour | undefined)[]): ReadonlySet<Neighbour> {
  return new Set(some.filter((one) => one !== undefined));
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
