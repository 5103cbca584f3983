import { Numbering } from "./numbering.js";

/** A letter by its number, and the state behind it. */
export type TrieWay = readonly [letter: number, target: number];

/** Some texts, letter by letter, as an automaton in which equal endings are one. State 0 is the first. */
export interface Trie {
  /** Of all texts, in the order in which they come. */
  readonly letters: readonly string[];
  /** Per state, in the order of the letters. */
  readonly ways: readonly (readonly TrieWay[])[];
  /** Per state, whether a text ends there. */
  readonly ends: readonly boolean[];
}

interface Node {
  readonly ways: Map<number, Node>;
  ends: boolean;
  state: number;
}

export function trieOf(texts: readonly string[]): Trie {
  const numbers = new Numbering<string>();
  const nodes: Node[] = [];
  const add = () => {
    const node: Node = { ways: new Map(), ends: false, state: 0 };
    nodes.push(node);
    return node;
  };
  const root = add();
  for (const text of texts) {
    let node = root;
    for (const letter of text) {
      const number = numbers.of(letter);
      let next = node.ways.get(number);
      if (next === undefined) {
        next = add();
        node.ways.set(number, next);
      }
      node = next;
    }
    node.ends = true;
  }
  const ways: TrieWay[][] = [[]];
  const ends = [root.ends];
  const known = new Map<string, number>();
  // What follows a node was made behind it, and so is numbered before it.
  for (let at = nodes.length - 1; at >= 0; at--) {
    const node = nodes[at]!;
    const here: TrieWay[] = [];
    for (const [letter, { state }] of node.ways) here.push([letter, state]);
    if (here.length > 1) here.sort((a, b) => a[0] - b[0]);
    if (at === 0) {
      ways[0] = here;
      break;
    }
    let key = node.ends ? "." : "";
    for (const [letter, target] of here) key += `${letter}>${target} `;
    let state = known.get(key);
    if (state === undefined) {
      state = ways.push(here) - 1;
      ends.push(node.ends);
      known.set(key, state);
    }
    node.state = state;
  }
  return { letters: numbers.values(), ways, ends };
}

/** Per state that is next, the letters that lead there. */
export function byTarget(
  ways: readonly TrieWay[],
): (readonly [target: number, letters: number[]])[] {
  const [only] = ways;
  if (only !== undefined && ways.length === 1) return [[only[1], [only[0]]]];
  const found = new Map<number, number[]>();
  for (const [letter, target] of ways) {
    const letters = found.get(target);
    if (letters === undefined) found.set(target, [letter]);
    else letters.push(letter);
  }
  return [...found];
}
