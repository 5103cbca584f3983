import type { Conjunctions, Goal } from "./conjunctions.js";
import type { Evaluator } from "./evaluation.js";
import type { Formula, Formulas, Json } from "./formula.js";
import type { Expression, GrammarRules } from "./grammar-rules.js";
import type { Layout } from "./json-layout.js";
import type { Dfa } from "./language/dfa.js";
import type { TextGrammar } from "./text-grammar.js";
import type { TextLanguages } from "./text-languages.js";

/** A keyword that the grammar does not hold. */
export interface Unchecked {
  readonly keyword: string;
  /** Where it stands: a JSON pointer into the schema, with its "#". */
  readonly path: string;
  readonly reason: string;
}

/** What the grammars of objects and arrays need of the one that values are made by. */
export interface Values {
  readonly formulas: Formulas;
  readonly conjunctions: Conjunctions;
  readonly evaluator: Evaluator;
  readonly texts: TextLanguages;
  readonly rules: GrammarRules;
  readonly layout: Layout;
  /** Whether an object has only the properties that its schema names, unless that says more. */
  readonly closed: boolean;
  readonly text: TextGrammar;
  goal(parts: readonly Formula[]): Goal;
  /** The values that satisfy a goal. */
  value(goal: Goal): Expression;
  /** All values of a goal, where they are few enough to be listed. */
  listValues(goal: Goal): readonly Json[] | undefined;
  /** The names that a goal of texts lets through; undefined for all. */
  namesOf(part: Formula): Dfa | undefined;
  /** The grammar does not hold this. */
  leave(keyword: string, path: string, reason: string): void;
  /** Of a value that is let through as it stands, what is taken to hold is left, however deep in it. */
  reportWithin(value: Json, formulas: readonly Formula[]): void;
  /** No grammar is made. */
  problem(path: string, reason: string): never;
}
