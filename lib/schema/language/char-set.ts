import type { Budget } from "./budget.js";

/** Code points as sorted, disjoint, inclusive ranges: [from, to, from, to, …]. */
export type CharSet = readonly number[];

const MAX_CODE_POINT = 0x10ffff;
const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;

/** All characters that a Unicode text can have; surrogates are none. */
export const EVERY: CharSet = [0, FIRST_SURROGATE - 1, LAST_SURROGATE + 1, MAX_CODE_POINT];
export const SURROGATES: CharSet = [FIRST_SURROGATE, LAST_SURROGATE];
export const BEYOND_BMP: CharSet = [0x10000, MAX_CODE_POINT];

/** Of ranges in any order, which may overlap. */
export function charSet(...ranges: readonly (readonly [from: number, to: number])[]): CharSet {
  if (ranges.length === 1) return [...ranges[0]!];
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const set: number[] = [];
  for (const [from, to] of sorted) {
    const last = set.length - 1;
    if (last > 0 && from <= set[last]! + 1) set[last] = Math.max(set[last]!, to);
    else set.push(from, to);
  }
  return set;
}

export function single(codePoint: number): CharSet {
  return [codePoint, codePoint];
}

export function rangesOf(set: CharSet): [number, number][] {
  const ranges: [number, number][] = [];
  for (let i = 0; i < set.length; i += 2) ranges.push([set[i]!, set[i + 1]!]);
  return ranges;
}

export function union(...sets: readonly CharSet[]): CharSet {
  return sets.length === 1 ? sets[0]! : charSet(...sets.flatMap(rangesOf));
}

export function intersection(a: CharSet, b: CharSet): CharSet {
  const set: number[] = [];
  for (let i = 0, k = 0; i < a.length && k < b.length; ) {
    const from = Math.max(a[i]!, b[k]!);
    const to = Math.min(a[i + 1]!, b[k + 1]!);
    if (from <= to) set.push(from, to);
    if (a[i + 1]! < b[k + 1]!) i += 2;
    else k += 2;
  }
  return set;
}

/** What `from` has and `set` has not. */
export function difference(from: CharSet, set: CharSet): CharSet {
  const rest: number[] = [];
  let next = 0;
  for (const [start, end] of rangesOf(set)) {
    if (start > next) rest.push(next, start - 1);
    next = end + 1;
  }
  if (next <= MAX_CODE_POINT) rest.push(next, MAX_CODE_POINT);
  return intersection(from, rest);
}

export function has(set: CharSet, codePoint: number): boolean {
  for (let i = 0; i < set.length && set[i]! <= codePoint; i += 2) {
    if (codePoint <= set[i + 1]!) return true;
  }
  return false;
}

export interface Partition {
  /** Disjoint sets, of which each of the given ones is made up. */
  readonly classes: readonly CharSet[];
  /** Per given set, the classes in it. */
  readonly members: readonly (readonly number[])[];
}

/**
 * The fewest classes of characters that none of the sets tells apart.
 *
 * @throws {TooManyStates}
 */
export function partition(sets: readonly CharSet[], budget: Budget): Partition {
  const events: { at: number; set: number }[] = [];
  sets.forEach((ranges, set) => {
    for (const [from, to] of rangesOf(ranges)) events.push({ at: from, set }, { at: to + 1, set });
  });
  events.sort((a, b) => a.at - b.at);
  /** The sets that the characters from here on are in, in their order. */
  const owning: number[] = [];
  const found = new Map<string, [number, number][]>();
  const owners: number[][] = [];
  for (let i = 0; i < events.length; ) {
    const { at } = events[i]!;
    for (; i < events.length && events[i]!.at === at; i++) {
      toggle(owning, events[i]!.set);
    }
    if (owning.length === 0) continue;
    budget.spend(owning.length);
    const key = owning.join(",");
    const ranges = found.get(key);
    const range: [number, number] = [at, events[i]!.at - 1];
    if (ranges !== undefined) ranges.push(range);
    else {
      found.set(key, [range]);
      owners.push([...owning]);
    }
  }
  const members: number[][] = sets.map(() => []);
  owners.forEach((owning, index) => {
    for (const set of owning) members[set]!.push(index);
  });
  return { classes: [...found.values()].map((ranges) => charSet(...ranges)), members };
}

/** Takes a number out of those in order, or puts it in. */
function toggle(numbers: number[], number: number): void {
  const at = numbers.findIndex((other) => other >= number);
  if (at < 0) numbers.push(number);
  else if (numbers[at] === number) numbers.splice(at, 1);
  else numbers.splice(at, 0, number);
}
