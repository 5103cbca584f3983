import { ALTERNATIVE, END, type GbnfRules, TERMINAL } from "./gbnf-rules.js";

/** Which rules a rule can begin with, as long as nothing before them needs to match anything. */
export interface LeftEdges {
  /** Of rule n, the edges from first[n] up to first[n + 1]. */
  readonly first: Int32Array;
  readonly targets: readonly number[];
  /** Per edge, the index in `items` of the reference it comes from. */
  readonly origins: readonly number[];
  /** Per rule, how many of the items it can begin with are terminals. */
  readonly terminals: Int32Array;
}

/** `empty` tells of each rule whether what comes after a reference to it can be at the beginning. */
export function leftEdges(rules: GbnfRules, empty: Uint8Array): LeftEdges {
  const first = new Int32Array(rules.count + 1);
  const terminals = new Int32Array(rules.count);
  const targets: number[] = [];
  const origins: number[] = [];
  for (let id = 0; id < rules.count; id++) {
    first[id] = targets.length;
    if (!rules.isDefined(id)) continue;
    let atStart = true;
    for (let i = rules.starts[id]!; rules.items[i] !== END; i++) {
      const item = rules.items[i]!;
      if (item === ALTERNATIVE) {
        atStart = true;
      } else if (atStart && item === TERMINAL) {
        terminals[id] = terminals[id]! + 1;
        atStart = false;
      } else if (atStart) {
        targets.push(item);
        origins.push(i);
        atStart = empty[item] === 1;
      }
    }
  }
  first[rules.count] = targets.length;
  return { first, targets, origins, terminals };
}

/** Rules with an alternative of no items. llama.cpp's check for left recursion knows no others. */
export function plainlyEmpty(rules: GbnfRules): Uint8Array {
  const empty = new Uint8Array(rules.count);
  for (let id = 0; id < rules.count; id++) {
    if (!rules.isDefined(id)) continue;
    let previous = ALTERNATIVE;
    for (let i = rules.starts[id]!; previous !== END; i++) {
      const item = rules.items[i]!;
      if (previous === ALTERNATIVE && item <= ALTERNATIVE) empty[id] = 1;
      previous = item;
    }
  }
  return empty;
}

/** Rules that can match the empty text, also by way of others. */
export function possiblyEmpty(rules: GbnfRules): Uint8Array {
  const empty = plainlyEmpty(rules);
  const { waiting, owners, firstUse, nextUse, usedIn } = referenceAlternatives(rules);
  const found: number[] = [];
  for (let id = 0; id < rules.count; id++) if (empty[id] === 1) found.push(id);
  for (let id = found.pop(); id !== undefined; id = found.pop()) {
    for (let use = firstUse[id]!; use >= 0; use = nextUse[use]!) {
      const alternative = usedIn[use]!;
      const owner = owners[alternative]!;
      waiting[alternative] = waiting[alternative]! - 1;
      if (waiting[alternative] === 0 && empty[owner] === 0) {
        empty[owner] = 1;
        found.push(owner);
      }
    }
  }
  return empty;
}

/** The alternatives made of references alone, and a linked list of where each rule is used in them. */
function referenceAlternatives(rules: GbnfRules) {
  const waiting: number[] = []; // references not yet known to match the empty text
  const owners: number[] = [];
  const firstUse = new Int32Array(rules.count).fill(-1);
  const nextUse: number[] = [];
  const usedIn: number[] = [];
  const { items } = rules;
  for (let id = 0; id < rules.count; id++) {
    if (!rules.isDefined(id)) continue;
    let start = rules.starts[id]!;
    for (let i = start, plain = true; ; i++) {
      const item = items[i]!;
      if (item === TERMINAL) plain = false;
      if (item > ALTERNATIVE) continue;
      if (plain) {
        for (let k = start; k < i; k++) {
          nextUse.push(firstUse[items[k]!]!);
          usedIn.push(waiting.length);
          firstUse[items[k]!] = nextUse.length - 1;
        }
        waiting.push(i - start);
        owners.push(id);
      }
      if (item === END) break;
      start = i + 1;
      plain = true;
    }
  }
  return { waiting, owners, firstUse, nextUse, usedIn };
}
