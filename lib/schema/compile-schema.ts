import type { Steps } from "../internal/steps.js";
import { Conjunctions, goalOf } from "./conjunctions.js";
import { Evaluator } from "./evaluation.js";
import { followAll } from "./follow-references.js";
import { Formulas, type JsonObject } from "./formula.js";
import { type Expression, GrammarRules, isMatchable } from "./grammar-rules.js";
import { layoutOf, type WhiteSpace } from "./json-layout.js";
import { TooMuchWork } from "./language/budget.js";
import { SchemaDocument } from "./schema-document.js";
import { SchemaReader } from "./schema-keywords.js";
import { SchemaProblem } from "./schema-problem.js";
import { TextLanguages } from "./text-languages.js";
import { ValueGrammar } from "./value-grammar.js";
import type { Unchecked } from "./values-interface.js";

export interface CompileOptions {
  /** What may stand between the parts of the JSON text. */
  readonly whiteSpace: WhiteSpace;
  /**
   * Whether an object that names `properties` and says nothing of others has no others. JSON Schema lets
   * them in.
   */
  readonly closed: boolean;
}

export interface CompiledSchema {
  /** The JSON texts that satisfy the schema, for `writeGrammar()`. */
  readonly value: Expression;
  /** What the grammar lets through although the schema does not. */
  readonly unchecked: readonly Unchecked[];
}

const MAX_EVALUATIONS = 1_000_000;

/**
 * A grammar of the JSON texts that satisfy a schema, of draft 4 to 2020-12; a step for each part of it.
 *
 * @throws {SchemaProblem} with the place and the reason
 */
export function* compileSteps(
  schema: JsonObject,
  { whiteSpace, closed }: CompileOptions,
): Steps<CompiledSchema> {
  const formulas = new Formulas();
  const texts = new TextLanguages();
  const rules = new GrammarRules();
  const evaluator = new Evaluator((source, text) => texts.isMatch(source, text), MAX_EVALUATIONS);
  const conjunctions = new Conjunctions(formulas, evaluator, texts);
  const grammar = new ValueGrammar({
    ...{ formulas, conjunctions, evaluator, texts, rules, closed },
    layout: layoutOf(whiteSpace, rules),
  });
  try {
    const checkPattern = (source: string) => texts.pattern(source);
    const reader = new SchemaReader(new SchemaDocument(schema), formulas, checkPattern);
    const meaning = reader.root();
    followAll(meaning);
    const value = grammar.value(goalOf([meaning], formulas));
    yield* grammar.finish();
    if (!isMatchable(value)) throw new SchemaProblem("#", "no value satisfies it");
    return { value, unchecked: grammar.unchecked };
  } catch (error) {
    if (error instanceof TooMuchWork) throw new SchemaProblem(rules.place, error.message);
    throw error;
  }
}
