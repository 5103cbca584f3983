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
    if (set.length > 0) this.#steps[from]!.push({ to, set });
  }

  /** From a state on, what an automaton accepts, and then the end of the text. */
  embed(dfa: Dfa, from: number, to: number): void {
    const states = Array.from(dfa.accepting, () => this.state());
    this.free(from, states[0]!);
    for (const [number, state] of states.entries()) {
      for (const [target, set] of edgesOf(dfa, number)) this.step(state, states[target]!, set);
      if (dfa.accepting[number] === 1) this.free(state, to, "end");
    }
  }

  /**
   * All texts in which a way leads from `start` to `end`, whatever comes behind it. `every`: all
   * characters that a text can have.
   */
  determinize(start: number, end: number, every: CharSet, limit: number): Dfa {
    const sets = [...new Set(this.#steps.flatMap((steps) => steps.map(({ set }) => set)))];
    const { classes, members } = partition([every, WORD, ...sets]);
    const classesOf = new Map(sets.map((set, index) => [set, members[index + 2]!]));
    const wordly = new Set(members[1]);
    const targets = this.#steps.map((steps) =>
      steps.map(({ to, set }) => ({ to, in: new Set(classesOf.get(set)) })),
    );
    const done: State = { states: [end], before: "other", ways: [] };
    let room = MAX_MEMBERS;
    const make = (states: readonly number[], before: Neighbour): State => {
      const ways = NEIGHBOURS.map((after) => this.#reach(states, before, after));
      for (const way of ways) room -= way.size;
      if (room < 0) throw new TooManyStates("states of too many parts");
      return ways.every((way) => way.has(end)) ? done : { states, before, ways };
    };
    return explore<State>({
      classes,
      start: make([start], "edge"),
      limit,
      key: (state) => (state === done ? "" : `${state.before}:${state.states.join(",")}`),
      next: (state, index) => {
        if (state === done) return done;
        const after: Neighbour = wordly.has(index) ? "word" : "other";
        const way = state.ways[NEIGHBOURS.indexOf(after)]!;
        if (way.has(end)) return done;
        const next = new Set<number>();
        for (const from of way) {
          for (const target of targets[from]!) if (target.in.has(index)) next.add(target.to);
        }
        if (next.size === 0) return undefined;
        const before = this.#anchored ? after : "other";
        return make(
          [...next].sort((a, b) => a - b),
          before,
        );
      },
      accepts: (state) => state === done || state.ways[0]!.has(end),
    });
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
  readonly states: readonly number[];
  readonly before: Neighbour;
  /** What is reached without a character, by what comes next. */
  readonly ways: readonly Set<number>[];
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
