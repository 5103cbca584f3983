import {
  choice,
  defineState,
  EMPTY,
  type Expression,
  type GrammarRules,
  type Rule,
  sequence,
  sequenceOf,
  text,
  use,
} from "./grammar-rules.js";
import { byTarget, targetsOf, trieOf } from "./language/trie.js";

/** One of some letters, in a grammar. */
export type Spell = (letters: readonly string[]) => Expression;

/** One of these texts: a rule wherever several of them go on alike, or part. */
export function listedTexts(
  texts: readonly string[],
  rules: GrammarRules,
  spell: Spell,
): Expression {
  const { letters, ways, ends } = trieOf(texts);
  const arrivals = new Uint32Array(ways.length);
  for (const some of ways) for (const target of targetsOf(some)) arrivals[target]!++;
  const step = (numbers: readonly number[]) => {
    const [first] = numbers;
    return numbers.length === 1 ? text(letters[first!]!) : spell(numbers.map((n) => letters[n]!));
  };
  const made = new Map<number, Rule>();
  const ruleOf = (state: number) => {
    let rule = made.get(state);
    if (rule === undefined) {
      rule = rules.declare("then");
      made.set(state, rule);
    }
    return rule;
  };
  /** What follows, without a rule where only one way leads to a state and one from it. */
  const after = (first: number): Expression => {
    const parts: Expression[] = [];
    let state = first;
    while (arrivals[state] === 1) {
      const [way, other] = byTarget(ways[state]!);
      if (way === undefined) return sequenceOf(parts);
      if (other !== undefined || ends[state]) break;
      parts.push(step(way[1]));
      state = way[0];
    }
    return sequenceOf([...parts, use(ruleOf(state))]);
  };
  const waysOf = (state: number) => {
    const found = byTarget(ways[state]!).map(([target, some]) =>
      sequence(step(some), after(target)),
    );
    return ends[state] ? [...found, EMPTY] : found;
  };
  const start = choice(...waysOf(0));
  for (const [state, rule] of made) defineState(rule, waysOf(state));
  return start;
}
