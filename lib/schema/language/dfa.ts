import { type Budget, type Limits, TooManyStates } from "./budget.js";
import { type CharSet, difference, EVERY, has, partition, single, union } from "./char-set.js";
import { equivalentStates, type Predecessors, predecessorsOf } from "./minimize.js";
import { trieOf } from "./trie.js";

/** No state: nothing that follows is accepted. */
export const DEAD = -1;
const MAX_STATES_TO_MINIMIZE = 4_000;

/** A set of texts as a deterministic automaton. State 0 is the first; from every state one is reached that accepts. */
export interface Dfa {
  /** Disjoint sets of characters, a column each. */
  readonly classes: readonly CharSet[];
  /** Row by row, the state behind a character of each class, or DEAD. */
  readonly table: Int32Array;
  readonly accepting: Uint8Array;
}

export function stateCount(dfa: Dfa): number {
  return dfa.accepting.length;
}

export function isEmpty(dfa: Dfa): boolean {
  return stateCount(dfa) === 1 && dfa.accepting[0] === 0;
}

export interface Exploration<S> {
  readonly classes: readonly CharSet[];
  /** States are told apart by who they are: the same one is the same object or an equal number. */
  readonly start: S;
  readonly limits: Limits;
  /** undefined: nothing that follows is accepted. */
  next(state: S, index: number): S | undefined;
  accepts(state: S): boolean;
}

/** The automaton of all states that are met on the way from the first; throws TooManyStates. */
export function explore<S>({ classes, start, limits, next, accepts }: Exploration<S>): Dfa {
  const states: S[] = [start];
  const known = new Map<S, number>([[start, 0]]);
  const table: number[] = [];
  const accepting: number[] = [];
  for (let at = 0; at < states.length; at++) {
    const state = states[at]!;
    limits.budget.spend(classes.length);
    accepting.push(accepts(state) ? 1 : 0);
    for (let index = 0; index < classes.length; index++) {
      const target = next(state, index);
      if (target === undefined) {
        table.push(DEAD);
        continue;
      }
      let number = known.get(target);
      if (number === undefined) {
        number = states.length;
        if (number >= limits.states) throw new TooManyStates(`more than ${limits.states} states`);
        known.set(target, number);
        states.push(target);
      }
      table.push(number);
    }
  }
  return minimize(
    trim({ classes, table: Int32Array.from(table), accepting: Uint8Array.from(accepting) }),
  );
}

/** With where steps lead to each state from. */
interface Traced extends Dfa {
  readonly before: Predecessors;
}

/** Without the states that never come to an accepting one. */
function trim({ classes, table, accepting }: Dfa): Traced {
  const count = accepting.length;
  const width = classes.length;
  const before = predecessorsOf(table, width);
  const alive = new Uint8Array(count);
  const found: number[] = [];
  const find = (state: number) => {
    if (alive[state] === 1) return;
    alive[state] = 1;
    found.push(state);
  };
  for (let state = 0; state < count; state++) if (accepting[state] === 1) find(state);
  for (const state of found) {
    const end = before.starts[(state + 1) * width]!;
    for (let i = before.starts[state * width]!; i < end; i++) find(before.sources[i]!);
  }
  if (found.length === count) return { classes, table, accepting, before };
  alive[0] = 1;
  const names = new Int32Array(count).fill(DEAD);
  let kept = 0;
  for (let state = 0; state < count; state++) if (alive[state] === 1) names[state] = kept++;
  const smaller = new Int32Array(kept * width);
  const ends = new Uint8Array(kept);
  for (let state = 0; state < count; state++) {
    const name = names[state]!;
    if (name === DEAD) continue;
    ends[name] = accepting[state]!;
    for (let index = 0; index < width; index++) {
      const target = found.length === 0 ? DEAD : table[state * width + index]!;
      smaller[name * width + index] = target === DEAD ? DEAD : names[target]!;
    }
  }
  return { classes, table: smaller, accepting: ends, before: predecessorsOf(smaller, width) };
}

/** States that accept the same are made one; where they are many, they stay as they are. */
function minimize({ classes, table, accepting, before }: Traced): Dfa {
  const count = accepting.length;
  const width = classes.length;
  if (count > MAX_STATES_TO_MINIMIZE) return { classes, table, accepting };
  const group = equivalentStates(accepting, width, before);
  // The first state is the first again.
  const names = new Int32Array(count).fill(DEAD);
  const kept: number[] = [];
  for (let state = 0; state < count; state++) {
    if (names[group[state]!] === DEAD) names[group[state]!] = kept.push(state) - 1;
  }
  if (kept.length === count) return { classes, table, accepting };
  const smaller = new Int32Array(kept.length * width);
  const ends = new Uint8Array(kept.length);
  for (const [name, state] of kept.entries()) {
    ends[name] = accepting[state]!;
    for (let index = 0; index < width; index++) {
      const target = table[state * width + index]!;
      smaller[name * width + index] = target === DEAD ? DEAD : names[group[target]!]!;
    }
  }
  return { classes, table: smaller, accepting: ends };
}

type Both = (a: boolean, b: boolean) => boolean;

/** Of two automata, the texts whose being accepted by each satisfies `both`, which is false for none. */
function combine(a: Dfa, b: Dfa, both: Both, limits: Limits): Dfa {
  const rest = (dfa: Dfa) => [...dfa.classes, EVERY];
  const { classes, members } = partition([...rest(a), ...rest(b)], limits.budget);
  const columns = (offset: number, dfa: Dfa) => {
    const column = new Int32Array(classes.length).fill(DEAD);
    for (let index = 0; index < dfa.classes.length; index++) {
      for (const member of members[offset + index]!) column[member] = index;
    }
    return column;
  };
  const ofA = columns(0, a);
  const ofB = columns(a.classes.length + 1, b);
  const step = (dfa: Dfa, state: number, column: number) =>
    state === DEAD || column === DEAD ? DEAD : dfa.table[state * dfa.classes.length + column]!;
  // A state of each, or DEAD, as one number.
  const height = stateCount(b) + 1;
  const pair = (i: number, k: number) => (i + 1) * height + k + 1;
  const first = (state: number) => Math.floor(state / height) - 1;
  const second = (state: number) => (state % height) - 1;
  return explore({
    classes,
    start: pair(0, 0),
    limits,
    next: (state, index) => {
      const i = step(a, first(state), ofA[index]!);
      const k = step(b, second(state), ofB[index]!);
      if (i === DEAD && (k === DEAD || !both(false, true))) return undefined;
      return k === DEAD && !both(true, false) ? undefined : pair(i, k);
    },
    accepts: (state) => {
      const [i, k] = [first(state), second(state)];
      return both(i !== DEAD && a.accepting[i] === 1, k !== DEAD && b.accepting[k] === 1);
    },
  });
}

export function intersect(a: Dfa, b: Dfa, limits: Limits): Dfa {
  if (a === ANY_TEXT && stateCount(b) <= limits.states) return b;
  return combine(a, b, (inA, inB) => inA && inB, limits);
}

export function subtract(a: Dfa, b: Dfa, limits: Limits): Dfa {
  return combine(a, b, (inA, inB) => inA && !inB, limits);
}

export function unite(a: Dfa, b: Dfa, limits: Limits): Dfa {
  return combine(a, b, (inA, inB) => inA || inB, limits);
}

/** All texts. */
export const ANY_TEXT: Dfa = {
  classes: [EVERY],
  table: Int32Array.of(0),
  accepting: Uint8Array.of(1),
};

/**
 * These texts and no others.
 *
 * @throws {TooManyStates}
 */
export function ofTexts(texts: readonly string[], budget: Budget): Dfa {
  const { letters, ways, ends } = trieOf(texts);
  budget.spend(ways.length * letters.length);
  const table = new Int32Array(ways.length * letters.length).fill(DEAD);
  for (const [state, some] of ways.entries()) {
    for (const [letter, target] of some) table[state * letters.length + letter] = target;
  }
  const classes = letters.map((letter) => single(letter.codePointAt(0)!));
  return { classes, table, accepting: Uint8Array.from(ends, Number) };
}

/** All texts that an automaton does not accept. */
export function complement({ classes, table, accepting }: Dfa): Dfa {
  const width = classes.length;
  const count = accepting.length;
  const sink = count;
  const all = [...classes, difference(EVERY, union(...classes, []))];
  const next = new Int32Array((count + 1) * (width + 1)).fill(sink);
  for (let state = 0; state < count; state++) {
    for (let index = 0; index < width; index++) {
      const target = table[state * width + index]!;
      if (target !== DEAD) next[state * (width + 1) + index] = target;
    }
  }
  const ends = new Uint8Array(count + 1).fill(1);
  for (let state = 0; state < count; state++) ends[state] = 1 - accepting[state]!;
  const { table: kept, accepting: others } = trim({ classes: all, table: next, accepting: ends });
  return { classes: all, table: kept, accepting: others };
}

export function matches(dfa: Dfa, text: string): boolean {
  let state = 0;
  for (const letter of text) {
    const codePoint = letter.codePointAt(0)!;
    const column = dfa.classes.findIndex((set) => has(set, codePoint));
    if (column < 0) return false;
    state = dfa.table[state * dfa.classes.length + column]!;
    if (state === DEAD) return false;
  }
  return dfa.accepting[state] === 1;
}

/** A next state, with all characters that lead there; an automaton's equal sets are one object. */
export type Edge = readonly [target: number, set: CharSet];

const edges = new WeakMap<Dfa, readonly (readonly Edge[])[]>();

/** Per state, the ways on. */
export function edgesOf(dfa: Dfa): readonly (readonly Edge[])[] {
  let known = edges.get(dfa);
  if (known === undefined) {
    known = findEdges(dfa);
    edges.set(dfa, known);
  }
  return known;
}

function findEdges({ classes, table, accepting }: Dfa): Edge[][] {
  const width = classes.length;
  const joined = new Map<string, CharSet>();
  const setOf = (columns: readonly number[]) => {
    if (columns.length === 1) return classes[columns[0]!]!;
    const key = columns.join(",");
    let set = joined.get(key);
    if (set === undefined) {
      set = union(...columns.map((column) => classes[column]!));
      joined.set(key, set);
    }
    return set;
  };
  return Array.from(accepting, (_, state) => {
    const columns = new Map<number, number[]>();
    for (let column = 0; column < width; column++) {
      const target = table[state * width + column]!;
      if (target === DEAD) continue;
      const known = columns.get(target);
      if (known === undefined) columns.set(target, [column]);
      else known.push(column);
    }
    return [...columns].map(([target, some]): Edge => [target, setOf(some)]);
  });
}
