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

/** A tree with a node for each beginning of a text; what follows a node has a higher number. */
interface Tree {
  /** Per node, that of its way in, and 0 for the first. */
  readonly letters: readonly number[];
  /** Per node, the last of those behind it, and the one beside it that came before: 0 for none. */
  readonly last: readonly number[];
  readonly beside: readonly number[];
  readonly ends: readonly boolean[];
}

export function trieOf(texts: readonly string[]): Trie {
  const numbers = new Numbering<string>();
  for (const letter of texts.join("")) numbers.of(letter);
  const tree = treeOf(texts, numbers);
  const stateOf = new Int32Array(tree.letters.length);
  const ways: TrieWay[][] = [[]];
  const ends = [tree.ends[0]!];
  const known = new KnownStates();
  for (let node = stateOf.length - 1; node >= 0; node--) {
    const here = waysFrom(node, tree, stateOf);
    if (node === 0) {
      ways[0] = here;
      break;
    }
    const number = ways.length;
    const state = known.numberOf(here, tree.ends[node]!, number);
    if (state === number) {
      ways.push(here);
      ends.push(tree.ends[node]!);
    }
    stateOf[node] = state;
  }
  return { letters: numbers.values(), ways, ends };
}

function waysFrom(node: number, { letters, last, beside }: Tree, stateOf: Int32Array): TrieWay[] {
  let next = last[node]!;
  if (next === 0) return [];
  const ways: TrieWay[] = [[letters[next]!, stateOf[next]!]];
  for (next = beside[next]!; next !== 0; next = beside[next]!) {
    ways.push([letters[next]!, stateOf[next]!]);
  }
  return ways.length > 1 ? ways.sort((a, b) => a[0] - b[0]) : ways;
}

/** In their order, a text has its beginning in common with the one before, and no node is looked for. */
function treeOf(texts: readonly string[], numbers: Numbering<string>): Tree {
  const tree = { letters: [0], last: [0], beside: [0], ends: [false] };
  const path = [0];
  for (const text of [...texts].sort()) {
    let depth = 0;
    let isNew = false;
    for (const letter of text) {
      const number = numbers.of(letter);
      const from = path[depth++]!;
      if (!isNew && depth < path.length && tree.letters[path[depth]!] === number) continue;
      isNew = true;
      const node = tree.letters.push(number) - 1;
      tree.ends.push(false);
      tree.beside.push(tree.last[from]!);
      tree.last.push(0);
      tree.last[from] = node;
      path[depth] = node;
    }
    path.length = depth + 1;
    tree.ends[path[depth]!] = true;
  }
  return tree;
}

/** States by what follows them. Most have one way on, and are the only ones with theirs: those take no text. */
class KnownStates {
  readonly #byText = new Map<string, number>();
  /** Per state, the letter and the number of the first that has no other way than to it. */
  readonly #letterBefore: number[] = [];
  readonly #before: number[] = [];

  /** Of an equal state, or `number`, which it gets then. */
  numberOf(ways: readonly TrieWay[], ends: boolean, number: number): number {
    const [only] = ways;
    if (only !== undefined && ways.length === 1 && !ends) {
      const [letter, target] = only;
      if (this.#letterBefore[target] === undefined) {
        this.#letterBefore[target] = letter;
        this.#before[target] = number;
        return number;
      }
      if (this.#letterBefore[target] === letter) return this.#before[target]!;
    }
    let key = ends ? "." : "";
    for (const [letter, target] of ways) key += `${letter}>${target} `;
    const known = this.#byText.get(key) ?? number;
    this.#byText.set(key, known);
    return known;
  }
}

/** The states that are next, each once. */
export function targetsOf(ways: readonly TrieWay[]): Iterable<number> {
  const targets = ways.map(([, target]) => target);
  return targets.length > 1 ? new Set(targets) : targets;
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
