import type { Member } from "./conjunction-state.js";
import { rangeOf } from "./conjunctions.js";
import type { Expression } from "./grammar-rules.js";
import { TooManyStates } from "./language/budget.js";
import { type Dfa, unite } from "./language/dfa.js";
import type { Values } from "./values-interface.js";

const MAX_UNITED_STATES = 500;
const ANY_LENGTH = { min: 0, max: undefined };

/** The texts that satisfy any of some ways. */
export function stringExpressions(
  grammar: Values,
  ways: readonly (readonly Member[])[],
): Expression[] {
  const parts: Expression[] = [];
  let united: Dfa | undefined;
  for (const members of ways) {
    const atoms = members.map(({ atom }) => atom);
    const { min, max } = rangeOf("length", atoms);
    const free = min === 0 && max === undefined;
    try {
      const dfa = grammar.texts.language(atoms);
      if (dfa !== undefined && free && ways.length > 1) {
        united = united === undefined ? dfa : uniteSmall(grammar, united, dfa, parts);
      } else {
        parts.push(
          dfa === undefined
            ? grammar.text.ofLength(min, max)
            : grammar.text.accepted({ dfa, min, max }),
        );
      }
    } catch (error) {
      if (!(error instanceof TooManyStates)) throw error;
      for (const atom of atoms) {
        if (atom.kind !== "pattern" && atom.kind !== "format" && atom.kind !== "values") continue;
        const keyword = atom.kind === "values" ? "not" : atom.kind;
        grammar.leave(keyword, atom.path, `together with the others it takes ${error.message}`);
      }
      parts.push(grammar.text.ofLength(min, max));
    }
  }
  if (united !== undefined) parts.push(grammar.text.accepted({ dfa: united, ...ANY_LENGTH }));
  return parts;
}

/** Small ones become one; of large ones, the other stays a part of its own. */
function uniteSmall(grammar: Values, united: Dfa, dfa: Dfa, parts: Expression[]): Dfa {
  try {
    return unite(united, dfa, grammar.texts.limits(MAX_UNITED_STATES));
  } catch (error) {
    if (!(error instanceof TooManyStates)) throw error;
    parts.push(grammar.text.accepted({ dfa, ...ANY_LENGTH }));
    return united;
  }
}
