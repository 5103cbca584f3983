import type { Member } from "./conjunction-state.js";
import { type AtomFormula, rangeOf } from "./formula.js";
import type { Expression } from "./grammar-rules.js";
import { attempt, TooManyStates } from "./language/budget.js";
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
    const dfa = attempt(() => grammar.texts.language(atoms));
    if (dfa instanceof TooManyStates) {
      const fewer = grammar.texts.shorter(atoms, SHORTER_PLACES);
      parts.push(fewer ? grammar.text.accepted(fewer) : left(grammar, atoms, dfa));
    } else if (dfa === undefined) parts.push(grammar.text.ofLength(min, max));
    else if (!free) parts.push(counted(grammar, atoms, { dfa, min, max }));
    else if (ways.length === 1) parts.push(grammar.text.accepted({ dfa, ...ANY_LENGTH }));
    else united = united === undefined ? dfa : uniteSmall(grammar, united, dfa, parts);
  }
  if (united !== undefined) parts.push(grammar.text.accepted({ dfa: united, ...ANY_LENGTH }));
  return parts;
}

/**
 * With many characters to be counted, of formats that have fewer states, if that are all texts then; where
 * even so they are too many, only texts of fewer.
 */
function counted(grammar: Values, atoms: readonly AtomFormula[], texts: Counted): Expression {
  const { text } = grammar;
  const few = attempt(() => text.accepted(texts, FEW_PLACES));
  if (!(few instanceof TooManyStates)) return few;
  const fewer = grammar.texts.shorter(atoms, SHORTER_PLACES);
  if (fewer !== undefined && fewer.max === texts.max) return text.accepted(fewer);
  const all = attempt(() => text.accepted(texts));
  if (!(all instanceof TooManyStates)) return all;
  return fewer === undefined ? left(grammar, atoms, all) : text.accepted(fewer);
}

/** Texts of these lengths, and nothing else of what is asked for. */
function left(
  grammar: Values,
  atoms: readonly AtomFormula[],
  { message }: TooManyStates,
): Expression {
  for (const atom of atoms) {
    if (atom.kind !== "pattern" && atom.kind !== "format" && atom.kind !== "values") continue;
    const keyword = atom.kind === "values" ? "not" : atom.kind;
    grammar.leave(keyword, atom.path, `together with the others it takes ${message}`);
  }
  const { min, max } = rangeOf("length", atoms);
  return grammar.text.ofLength(min, max);
}

/** Small ones become one; of large ones, the other stays a part of its own. */
function uniteSmall(grammar: Values, united: Dfa, dfa: Dfa, parts: Expression[]): Dfa {
  const both = attempt(() => unite(united, dfa, grammar.texts.limits(MAX_UNITED_STATES)));
  if (!(both instanceof TooManyStates)) return both;
  parts.push(grammar.text.accepted({ dfa, ...ANY_LENGTH }));
  return united;
}
