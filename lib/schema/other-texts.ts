import { defineState, type Expression, type GrammarRules, sequence, use } from "./grammar-rules.js";
import { byTarget, trieOf } from "./language/trie.js";
import type { Spell } from "./listed-texts.js";

/**
 * All texts but some, with an end behind them: where one of those goes on, any other character leads to
 * any text. Without an automaton of all these texts, since it would have every character in every state.
 * `beside` spells any character but some.
 */
export function otherTexts(
  texts: readonly string[],
  end: Expression,
  rules: GrammarRules,
  { spell, beside }: { spell: Spell; beside: Spell },
): Expression {
  const { letters, ways, ends } = trieOf(texts);
  const any = rules.declare("any");
  defineState(any, [sequence(beside([]), use(any)), end]);
  const states = ways.map((_, state) => rules.declare(state === 0 ? "name" : "then"));
  for (const [state, some] of ways.entries()) {
    const parts: Expression[] = [];
    for (const [target, numbers] of byTarget(some)) {
      parts.push(sequence(spell(numbers.map((n) => letters[n]!)), use(states[target]!)));
    }
    parts.push(sequence(beside(some.map(([n]) => letters[n]!)), use(any)));
    if (!ends[state]) parts.push(end);
    defineState(states[state]!, parts);
  }
  return use(states[0]!);
}
