import { type CharSet, EVERY, intersection, partition } from "./char-set.js";
import { type Dfa, edgesOf, explore, TooManyStates } from "./dfa.js";

/** What is asked of a place in a text. */
export type Anchor = "start" | "end" | "boundary" | "inside";
/** A character before or behind a place, or the edge of the text. */
type Neighbour = "edge" | "word" | "other";

const NEIGHBOURS: readonly Neighbour[] = ["edge", "word", "other"];
/** Of all states together: few states can still be of very many parts each. */
const MAX_MEMBERS = 3_000_000;
export const WORD: CharSet = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];

/** An automaton under construction, as Thompson has it: states with steps that take no character. */
export class Nfa {
  readonly #limit: number;
  readonly #free: { to: number; anchor?: Anchor }[][] = [];
  readonly #steps: { to: number; set: CharSet }[][] = [];
  /** Equal sets are one, so that few are told apart. */
  readonly #sets = new Map<string, CharSet>();
  #anchored = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  state(): number {
    if (this.#free.length >= this.#limit) throw new RangeError(`more than ${this.#limit} parts`);
    this.#steps.push([]);
    return this.#free.push([]) - 1;
  }

  free(from: number, to: number, anchor?: Anchor): void {
    this.#free[from]!.push(anchor === undefined ? { to } : { to, anchor });
    if (anchor === "boundary" || anchor === "inside") this.#anchored = true;
  }

  step(from: number, to: number, set: CharSet): void {
    if (set.length > 0) this.#steps[from]!.push({ to, set: this.#only(set) });
  }

  /** From a state on, what an automaton accepts, and then the end of the text. */
  embed(dfa: Dfa, from: number, to: number): void {
    const states = Array.from(dfa.accepting, () => this.state());
    const edges = edgesOf(dfa);
    this.free(from, states[0]!);
    for (const [number, state] of states.entries()) {
      for (const [target, set] of edges[number]!) this.step(state, states[target]!, set);
      if (dfa.accepting[number] === 1) this.free(state, to, "end");
    }
  }

  /**
   * All texts in which a way leads from `start` to `end`, whatever comes behind it. `every`: all
   * characters that a text can have.
   */
  determinize(start: number, end: number, every: CharSet, limit: number): Dfa {
    const sets = [...this.#sets.values()];
    const { classes, members } = partition([every, WORD, ...sets]);
    const classesOf = new Map(sets.map((set, index) => [set, members[index + 2]!]));
    const steps = this.#steps.map((some) =>
      some.map(({ to, set }) => ({ to, on: classesOf.get(set)! })),
    );
    const wordly = new Set(members[1]);
    const done: State = { ways: [], size: 0, targets: [] };
    const known = new Map<string, State>();
    let room = MAX_MEMBERS;
    const make = (states: readonly number[], before: Neighbour): State => {
      const key = `${before}:${states.join(",")}`;
      let state = known.get(key);
      if (state === undefined) {
        const ways = this.#ways(states, before);
        const size = ways.reduce((sum, way) => sum + way.size, 0);
        state = { ways, size, targets: [] };
        known.set(key, state);
      }
      room -= state.size;
      if (room < 0) throw new TooManyStates("states of too many parts");
      return state.ways.every((way) => way.has(end)) ? done : state;
    };
    /** Where the steps lead from some states, per class. */
    const follow = (states: ReadonlySet<number>) => {
      const found: (number[] | undefined)[] = classes.map(() => undefined);
      for (const from of states) {
        for (const { to, on } of steps[from]!) {
          for (const index of on) {
            const targets = found[index];
            if (targets === undefined) found[index] = [to];
            else targets.push(to);
          }
        }
      }
      return found.map((targets) =>
        targets === undefined || targets.length === 1
          ? targets
          : [...new Set(targets)].sort((a, b) => a - b),
      );
    };
    return explore<State>({
      classes,
      start: make([start], "edge"),
      limit,
      key: (state) => state,
      next: (state, index) => {
        if (state === done) return done;
        const after: Neighbour = wordly.has(index) ? "word" : "other";
        const number = NEIGHBOURS.indexOf(after);
        const way = state.ways[number]!;
        if (way.has(end)) return done;
        // The ways are mostly the same one.
        const same = state.ways.indexOf(way);
        state.targets[same] ??= follow(way);
        const next = state.targets[same][index];
        if (next === undefined) return undefined;
        return make(next, this.#anchored ? after : "other");
      },
      accepts: (state) => state === done || state.ways[0]!.has(end),
    });
  }

  #only(set: CharSet): CharSet {
    const key = set.join(",");
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    this.#sets.set(key, set);
    return set;
  }

  /** What is reached without a character, for each neighbour that can come next. */
  #ways(states: readonly number[], before: Neighbour): readonly ReadonlySet<number>[] {
    const other = this.#reach(states, before, "other");
    const free = [...other].every((state) =>
      this.#free[state]!.every(({ anchor }) => anchor === undefined),
    );
    if (free) return [other, other, other];
    const word = this.#anchored ? this.#reach(states, before, "word") : other;
    return [this.#reach(states, before, "edge"), word, other];
  }

  /** All states that are reached without a character. */
  #reach(states: readonly number[], before: Neighbour, after: Neighbour): Set<number> {
    const found = new Set(states);
    for (const state of found) {
      for (const { to, anchor } of this.#free[state]!) {
        if (anchor === undefined || holds(anchor, before, after)) found.add(to);
      }
    }
    return found;
  }
}

interface State {
  /** What is reached without a character, by what comes next. */
  readonly ways: readonly ReadonlySet<number>[];
  readonly size: number;
  /** Per way, where it leads to, once that is known. */
  readonly targets: (readonly (number[] | undefined)[])[];
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

/**
 * An automaton over UTF-16 units as one over characters: one beyond the basic plane is two units, which
 * no set tells apart.
 */
export function overCharacters(dfa: Dfa, units: { surrogates: CharSet; beyond: CharSet }): Dfa {
  const width = dfa.classes.length;
  const pair = dfa.classes.findIndex((set) => intersection(set, units.surrogates).length > 0);
  const step = (state: number, column: number) => dfa.table[state * width + column]!;
  const classes = [...dfa.classes.map((set) => intersection(set, EVERY)), units.beyond];
  return explore<number>({
    classes,
    start: 0,
    limit: dfa.accepting.length + 1,
    key: (state) => state,
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
