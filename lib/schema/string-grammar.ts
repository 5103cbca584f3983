import type { Member } from "./conjunction-state.js";
import { type AtomFormula, rangeOf } from "./formula.js";
import type { Expression } from "./grammar-rules.js";
import { TooManyStates } from "./language/budget.js";
import { type Dfa, unite } from "./language/dfa.js";
import type { Counted } from "./language/text-lengths.js";
import type { Values } from "./values-interface.js";

const MAX_UNITED_STATES = 500;
/** For one of many texts in a schema; more are a burden for the grammar. */
const FEW_PLACES = 6_000;
const SHORTER_PLACES = 12_000;
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
      if (dfa === undefined) parts.push(grammar.text.ofLength(min, max));
      else if (!free) parts.push(acceptedOrShorter(grammar, atoms, { dfa, min, max }));
      else if (ways.length === 1) parts.push(grammar.text.accepted({ dfa, ...ANY_LENGTH }));
      else united = united === undefined ? dfa : uniteSmall(grammar, united, dfa, parts);
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

/**
 * Where too many characters would have to be counted, texts of formats that have fewer states, or else only
 * texts of fewer characters.
 */
function acceptedOrShorter(
  grammar: Values,
  atoms: readonly AtomFormula[],
  counted: Counted,
): Expression {
  try {
    return grammar.text.accepted(counted, FEW_PLACES);
  } catch (error) {
    if (!(error instanceof TooManyStates)) throw error;
  }
  const shorter = grammar.texts.shorter(atoms, SHORTER_PLACES);
  if (shorter?.max === counted.max) return grammar.text.accepted(shorter!);
  try {
    return grammar.text.accepted(counted);
  } catch (error) {
    if (!(error instanceof TooManyStates) || shorter === undefined) throw error;
    return grammar.text.accepted(shorter);
  }
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
