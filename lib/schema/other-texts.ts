import { defineState, type Expression, type GrammarRules, sequence, use } from "./grammar-rules.js";
import { byTarget, type TrieWay, trieOf } from "./language/trie.js";
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
  const lettersOf = (numbers: readonly number[]) => numbers.map((number) => letters[number]!);
  const wayBeside = (numbers: readonly number[]) => sequence(beside(lettersOf(numbers)), use(any));
  const spelled: Expression[] = [];
  const besides: Expression[] = [];
  const waysOf = (some: readonly TrieWay[]) => {
    const [only] = some;
    if (only === undefined || some.length > 1) {
      const on = byTarget(some).map(([target, numbers]) =>
        sequence(spell(lettersOf(numbers)), use(states[target]!)),
      );
      return [...on, wayBeside(some.map(([number]) => number))];
    }
    // Most states have one way on, and there are few letters.
    const [number, target] = only;
    spelled[number] ??= spell(lettersOf([number]));
    besides[number] ??= wayBeside([number]);
    return [sequence(spelled[number], use(states[target]!)), besides[number]];
  };
  for (const [state, some] of ways.entries()) {
    const found = waysOf(some);
    defineState(states[state]!, ends[state] ? found : [...found, end]);
  }
  return use(states[0]!);
}
