import { choice, type Expression, type GrammarRules, sequence, use } from "./grammar-rules.js";
import { type CharSet, difference, EVERY, union } from "./language/char-set.js";
import { edgesOf, ofTexts } from "./language/dfa.js";

/**
 * All texts but some, with an end behind them: where one of those goes on, any other character leads to
 * any text. Without an automaton of all these texts, since it would have every character in every state.
 */
export function otherTexts(
  texts: readonly string[],
  end: Expression,
  rules: GrammarRules,
  spell: (set: CharSet) => Expression,
): Expression {
  const dfa = ofTexts(texts);
  const edges = edgesOf(dfa);
  const any = rules.declare("any");
  any.definition = choice(sequence(spell(EVERY), use(any)), end);
  const known = new Map<string, Expression>();
  /** Any text that does not begin as one of them would go on. */
  const beside = (sets: readonly CharSet[]) => {
    const set = difference(EVERY, union(...sets, []));
    const key = set.join(",");
    let expression = known.get(key);
    if (expression === undefined) {
      expression = sequence(spell(set), use(any));
      known.set(key, expression);
    }
    return expression;
  };
  const states = edges.map((_, state) => rules.declare(state === 0 ? "name" : "then"));
  for (const [state, ways] of edges.entries()) {
    states[state]!.definition = choice(
      ...ways.map(([to, set]) => sequence(spell(set), use(states[to]!))),
      beside(ways.map(([, set]) => set)),
      ...(dfa.accepting[state] === 1 ? [] : [end]),
    );
  }
  return use(states[0]!);
}
