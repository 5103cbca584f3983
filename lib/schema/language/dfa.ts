import {
  type CharSet,
  difference,
  EVERY,
  has,
  partition,
  rangesOf,
  single,
  union,
} from "./char-set.js";
import { equivalentStates } from "./minimize.js";
import { trieOf } from "./trie.js";

/** No state: nothing that follows is accepted. */
const DEAD = -1;
const MAX_STATES_TO_MINIMIZE = 4_000;

/** A set of texts as a deterministic automaton. State 0 is the first; from every state one is reached that accepts. */
export interface Dfa {
  /** Disjoint sets of characters, a column each. */
  readonly classes: readonly CharSet[];
  /** Row by row, the state behind a character of each class, or DEAD. */
  readonly table: Int32Array;
  readonly accepting: Uint8Array;
}

/** What an automaton would need is over a limit. */
export class TooManyStates extends Error {}

export function stateCount(dfa: Dfa): number {
  return dfa.accepting.length;
}

export function isEmpty(dfa: Dfa): boolean {
  return stateCount(dfa) === 1 && dfa.accepting[0] === 0;
}

export interface Exploration<S> {
  readonly classes: readonly CharSet[];
  readonly start: S;
  readonly limit: number;
  /** Equal for the same state only. */
  key(state: S): unknown;
  /** undefined: nothing that follows is accepted. */
  next(state: S, index: number): S | undefined;
  accepts(state: S): boolean;
}

/** The automaton of all states that are met on the way from the first; throws TooManyStates. */
export function explore<S>({ classes, start, limit, key, next, accepts }: Exploration<S>): Dfa {
  const states: S[] = [start];
  const known = new Map<unknown, number>([[key(start), 0]]);
  const table: number[] = [];
  const accepting: number[] = [];
  for (let at = 0; at < states.length; at++) {
    const state = states[at]!;
    accepting.push(accepts(state) ? 1 : 0);
    for (let index = 0; index < classes.length; index++) {
      const target = next(state, index);
      if (target === undefined) {
        table.push(DEAD);
        continue;
      }
      const name = key(target);
      let number = known.get(name);
      if (number === undefined) {
        number = states.length;
        if (number >= limit) throw new TooManyStates(`more than ${limit} states`);
        known.set(name, number);
        states.push(target);
      }
      table.push(number);
    }
  }
  return minimize(
    trim({ classes, table: Int32Array.from(table), accepting: Uint8Array.from(accepting) }),
  );
}

/** Without the states that never come to an accepting one. */
function trim({ classes, table, accepting }: Dfa): Dfa {
  const count = accepting.length;
  const width = classes.length;
  const before: number[][] = Array.from({ length: count }, () => []);
  for (let i = 0; i < table.length; i++) {
    if (table[i] !== DEAD) before[table[i]!]!.push(Math.floor(i / width));
  }
  const alive = new Uint8Array(count);
  const found: number[] = [];
  for (let state = 0; state < count; state++) if (accepting[state] === 1) found.push(state);
  for (const state of found) alive[state] = 1;
  for (let state = found.pop(); state !== undefined; state = found.pop()) {
    for (const previous of before[state]!) {
      if (alive[previous] === 1) continue;
      alive[previous] = 1;
      found.push(previous);
    }
  }
  alive[0] = 1;
  const names = new Int32Array(count).fill(DEAD);
  let kept = 0;
  for (let state = 0; state < count; state++) if (alive[state] === 1) names[state] = kept++;
  if (kept === count) return { classes, table, accepting };
  const smaller = new Int32Array(kept * width);
  const ends = new Uint8Array(kept);
  for (let state = 0; state < count; state++) {
    const name = names[state]!;
    if (name === DEAD) continue;
    ends[name] = accepting[state]!;
    for (let index = 0; index < width; index++) {
      const target = table[state * width + index]!;
      smaller[name * width + index] = target === DEAD ? DEAD : names[target]!;
    }
  }
  return { classes, table: smaller, accepting: ends };
}

/** States that accept the same are made one; where they are many, they stay as they are. */
function minimize({ classes, table, accepting }: Dfa): Dfa {
  const count = accepting.length;
  const width = classes.length;
  if (count > MAX_STATES_TO_MINIMIZE) return { classes, table, accepting };
  const step = (state: number, column: number) => {
    const target = state === count ? DEAD : table[state * width + column]!;
    return target === DEAD ? count : target;
  };
  const group = equivalentStates(count + 1, width, step, (state) => accepting[state] === 1);
  const dead = group[count]!;
  if (group[0] === dead)
    return { classes, table: table.slice(0, width).fill(DEAD), accepting: Uint8Array.of(0) };
  // The first state is the first again.
  const names = new Map<number, number>();
  const kept: number[] = [];
  for (let state = 0; state < count; state++) {
    if (group[state] === dead || names.has(group[state]!)) continue;
    names.set(group[state]!, kept.push(state) - 1);
  }
  const size = kept.length;
  const smaller = new Int32Array(size * width).fill(DEAD);
  const ends = new Uint8Array(size);
  for (const [name, state] of kept.entries()) {
    ends[name] = accepting[state]!;
    for (let index = 0; index < width; index++) {
      const target = table[state * width + index]!;
      if (target !== DEAD) smaller[name * width + index] = names.get(group[target]!) ?? DEAD;
    }
  }
  return { classes, table: smaller, accepting: ends };
}

type Both = (a: boolean, b: boolean) => boolean;

/** Of two automata, the texts whose being accepted by each satisfies `both`, which is false for none. */
function combine(a: Dfa, b: Dfa, both: Both, limit: number): Dfa {
  const rest = (dfa: Dfa) => [...dfa.classes, EVERY];
  const { classes, members } = partition([...rest(a), ...rest(b)]);
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
  return explore<readonly [number, number]>({
    classes,
    start: [0, 0],
    limit,
    key: ([i, k]) => i * (stateCount(b) + 2) + k + 1,
    next: ([i, k], index) => {
      const next = [step(a, i, ofA[index]!), step(b, k, ofB[index]!)] as const;
      if (next[0] === DEAD && !both(false, true)) return undefined;
      if (next[1] === DEAD && !both(true, false)) return undefined;
      return next[0] === DEAD && next[1] === DEAD ? undefined : next;
    },
    accepts: ([i, k]) =>
      both(i !== DEAD && a.accepting[i] === 1, k !== DEAD && b.accepting[k] === 1),
  });
}

export function intersect(a: Dfa, b: Dfa, limit: number): Dfa {
  if (a === ANY_TEXT && stateCount(b) <= limit) return b;
  return combine(a, b, (inA, inB) => inA && inB, limit);
}

export function subtract(a: Dfa, b: Dfa, limit: number): Dfa {
  return combine(a, b, (inA, inB) => inA && !inB, limit);
}

export function unite(a: Dfa, b: Dfa, limit: number): Dfa {
  return combine(a, b, (inA, inB) => inA || inB, limit);
}

/** All texts. */
export const ANY_TEXT: Dfa = {
  classes: [EVERY],
  table: Int32Array.of(0),
  accepting: Uint8Array.of(1),
};

/** These texts and no others. */
export function ofTexts(texts: readonly string[]): Dfa {
  const { letters, ways, ends } = trieOf(texts);
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
  return trim({ classes: all, table: next, accepting: ends });
}

/** The texts of so many code points. */
export function withLength(dfa: Dfa, min: number, max: number | undefined, limit: number): Dfa {
  const width = dfa.classes.length;
  const cap = max ?? min;
  return explore<readonly [number, number]>({
    classes: dfa.classes,
    start: [0, 0],
    limit,
    key: ([state, length]) => state * (cap + 1) + length,
    next: ([state, length], index) => {
      const target = dfa.table[state * width + index]!;
      if (target === DEAD || (max !== undefined && length === max)) return undefined;
      return [target, Math.min(length + 1, cap)];
    },
    accepts: ([state, length]) => dfa.accepting[state] === 1 && length >= min,
  });
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

function findEdges(dfa: Dfa): Edge[][] {
  const { classes, table } = dfa;
  const width = classes.length;
  const ranges = classes.flatMap((set, column) =>
    rangesOf(set).map(([from, to]) => ({ from, to, column })),
  );
  ranges.sort((a, b) => a.from - b.from);
  const sets = new Map<string, CharSet>();
  /** Equal ones are one. */
  const only = (set: CharSet) => {
    const key = set.join(",");
    const known = sets.get(key) ?? set;
    sets.set(key, known);
    return known;
  };
  return Array.from(dfa.accepting, (_, state) => {
    const columns = new Map<number, number[]>();
    for (let column = 0; column < width; column++) {
      const target = table[state * width + column]!;
      if (target === DEAD) continue;
      const known = columns.get(target);
      if (known === undefined) columns.set(target, [column]);
      else known.push(column);
    }
    const joined = new Map<number, number[]>();
    for (const [target, { length }] of columns) if (length > 1) joined.set(target, []);
    if (joined.size > 0) {
      for (const { from, to, column } of ranges) {
        const set = joined.get(table[state * width + column]!);
        if (set === undefined) continue;
        if (set.at(-1) === from - 1) set[set.length - 1] = to;
        else set.push(from, to);
      }
    }
    return [...columns].map(([target, [first]]): Edge => {
      const set = joined.get(target);
      return [target, set === undefined ? classes[first!]! : only(set)];
    });
  });
}
