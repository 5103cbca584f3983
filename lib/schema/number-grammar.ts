import { type AtomFormula, NUMBER, TYPE } from "./formula.js";
import type { Expression } from "./grammar-rules.js";
import { type Budget, TooManyStates } from "./language/budget.js";
import type { Dfa } from "./language/dfa.js";
import { NumberProblem } from "./language/multiples.js";
import { type NumberRules, numberLanguage } from "./language/numbers.js";
import { RegexProblem } from "./language/regex-syntax.js";
import type { Values } from "./values-interface.js";

/** The numbers that satisfy some atoms, of one of these types or of both. */
export function numberExpression(
  grammar: Values,
  atoms: readonly AtomFormula[],
  types: number,
): Expression {
  const { budget } = grammar.texts;
  let dfa = numbersOf(atoms, types, budget);
  if (dfa instanceof Error) {
    for (const atom of atoms) {
      if (atom.kind === "multiple") grammar.leave("multipleOf", atom.path, dfa.message);
    }
    const others = atoms.filter(({ kind }) => kind !== "multiple");
    dfa = numbersOf(others, types, budget);
  }
  if (dfa instanceof Error) grammar.problem(placeOf(dfa, atoms), dfa.message);
  return grammar.text.number(dfa, types === TYPE.integer ? "integer" : "number");
}

/** Or why there is no automaton. */
function numbersOf(
  atoms: readonly AtomFormula[],
  types: number,
  budget: Budget,
): Dfa | NumberProblem | TooManyStates | RegexProblem {
  try {
    return numberLanguage(numberRules(atoms, types), budget);
  } catch (error) {
    const isExpected =
      error instanceof NumberProblem ||
      error instanceof TooManyStates ||
      error instanceof RegexProblem;
    if (isExpected) return error;
    throw error;
  }
}

/** Of the keyword that a problem is about. */
function placeOf(problem: Error, atoms: readonly AtomFormula[]): string {
  const about = problem instanceof NumberProblem ? problem.about : undefined;
  const bounds = atoms.filter((atom) => atom.kind === "bound").sort((a, b) => a.value - b.value);
  const lower = bounds.findLast(({ relation }) => relation.startsWith(">"));
  const upper = bounds.find(({ relation }) => relation.startsWith("<"));
  const left = atoms.find((atom) => atom.kind === "values" && atom.negated);
  const places = { "lower bound": lower, "upper bound": upper, value: left, multiple: undefined };
  return ((about && places[about]) ?? atoms[0])?.path ?? "#";
}

function numberRules(atoms: readonly AtomFormula[], types: number): NumberRules {
  const kind = (types & NUMBER) === NUMBER ? "any" : types & TYPE.integer ? "integer" : "fraction";
  const of = (relation: string) =>
    atoms.flatMap((atom) =>
      atom.kind === "bound" && atom.relation === relation ? [atom.value] : [],
    );
  const most = (values: readonly number[]) => (values.length > 0 ? Math.max(...values) : undefined);
  const least = (values: readonly number[]) =>
    values.length > 0 ? Math.min(...values) : undefined;
  const bounds = {
    minimum: most(of(">=")),
    exclusiveMinimum: most(of(">")),
    maximum: least(of("<=")),
    exclusiveMaximum: least(of("<")),
  };
  const multiples = (negated: boolean) =>
    atoms.flatMap((atom) =>
      atom.kind === "multiple" && atom.negated === negated ? [atom.of] : [],
    );
  return {
    kind,
    ...(Object.fromEntries(
      Object.entries(bounds).filter(([, value]) => value !== undefined),
    ) as Partial<NumberRules>),
    multipleOf: multiples(false),
    notMultipleOf: multiples(true),
    not: atoms.flatMap((atom) =>
      atom.kind === "values" && atom.negated
        ? atom.values.filter((value) => typeof value === "number")
        : [],
    ),
  };
}
