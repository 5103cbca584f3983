import { show } from "../internal/errors.js";
import { Evaluator, partsFor } from "./evaluation.js";
import { followAll } from "./follow-references.js";
import {
  type AtomFormula,
  type Formula,
  Formulas,
  type Json,
  type JsonObject,
  TYPE,
} from "./formula.js";
import { Budget } from "./language/budget.js";
import { isDecimalMultiple } from "./language/multiples.js";
import { patternTest, TooSlow } from "./language/pattern-test.js";
import { checkRegex } from "./language/regex-syntax.js";
import { SchemaDocument } from "./schema-document.js";
import { SchemaReader } from "./schema-keywords.js";
import { SchemaProblem } from "./schema-problem.js";

const MAX_EVALUATIONS = 5_000_000;

/** What is wrong with a value: where, what was expected there, and what is there. */
export interface ValueProblem {
  /** As in JavaScript, without a name for the value itself: `a.b[2]`. */
  readonly path: string;
  readonly expected: string;
  /** undefined where it is not there. */
  readonly got: Json | undefined;
}

/** Tells whether values satisfy a schema, and if not, why. */
export class SchemaChecker {
  readonly #meaning: Formula;
  readonly #tests = new Map<string, (text: string) => boolean>();
  readonly #budget = new Budget();

  /** @throws {SchemaProblem} for a schema by which nothing can be checked */
  constructor(schema: JsonObject) {
    const formulas = new Formulas();
    this.#meaning = new SchemaReader(new SchemaDocument(schema), formulas, checkRegex).root();
    followAll(this.#meaning);
  }

  /** @throws {SchemaProblem} where it would take too long */
  problem(value: Json): ValueProblem | undefined {
    const isMatch = (source: string, text: string) => this.#isMatch(source, text);
    const evaluator = new Evaluator(isMatch, MAX_EVALUATIONS, { isMultiple });
    try {
      return new Explainer(evaluator, isMatch).explain(value, this.#meaning, "");
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // Each level takes some of the stack.
      throw new SchemaProblem("#", "the value is nested too deeply");
    }
  }

  #isMatch(source: string, text: string): boolean {
    let test = this.#tests.get(source);
    if (test === undefined) {
      test = patternTest(source, this.#budget);
      this.#tests.set(source, test);
    }
    try {
      return test(text);
    } catch (error) {
      if (!(error instanceof TooSlow)) throw error;
      throw new SchemaProblem("#", `the pattern ${show(source)} takes too long for ${show(text)}`);
    }
  }
}

/** As a grammar has it, by division, or as people do, in decimal. */
function isMultiple(value: number, step: number): boolean {
  return Number.isInteger(value / step) || isDecimalMultiple(value, step);
}

class Explainer {
  readonly #evaluator: Evaluator;
  readonly #isMatch: (source: string, text: string) => boolean;

  constructor(evaluator: Evaluator, isMatch: (source: string, text: string) => boolean) {
    this.#evaluator = evaluator;
    this.#isMatch = isMatch;
  }

  explain(value: Json, formula: Formula, path: string): ValueProblem | undefined {
    if (this.#evaluator.holds(value, formula)) return undefined;
    const wrong = (expected: string): ValueProblem => ({ path, expected, got: value });
    switch (formula.kind) {
      case "all": {
        for (const part of formula.parts) {
          const problem = this.explain(value, part, path);
          if (problem !== undefined) return problem;
        }
        const [first] = this.#evaluator.unevaluated(value, formula);
        return first === undefined ? undefined : this.#inside(value, first.at, first.part, path);
      }
      case "any":
      case "one": {
        const problems = formula.parts.map((part) => this.explain(value, part, path));
        if (problems.includes(undefined)) return wrong("a value that fits one alternative only");
        return this.#nearest(problems as ValueProblem[], path) ?? wrong("nothing");
      }
      case "not":
        return wrong("another value");
      case "ref":
        return this.explain(value, formula.resolve(), path);
      case "properties":
        for (const name of Object.keys(value as JsonObject)) {
          for (const part of partsFor(name, formula, (source) => this.#isMatch(source, name))) {
            const problem = this.#inside(value, name, part, path);
            if (problem !== undefined) return problem;
          }
        }
        return undefined;
      case "items":
        for (const [index, item] of (value as readonly Json[]).entries()) {
          const part = formula.prefix[index] ?? formula.rest;
          if (part === undefined || this.#evaluator.holds(item, part)) continue;
          return this.#inside(value, index, part, path);
        }
        return undefined;
      case "required": {
        const missing = formula.names.find((name) => !Object.hasOwn(value as JsonObject, name))!;
        return { path: join(path, missing), expected: "a value", got: undefined };
      }
      case "names": {
        const name = Object.keys(value as JsonObject).find(
          (key) => !this.#evaluator.holds(key, formula.part),
        )!;
        const problem = this.explain(name, formula.part, path);
        return { path, expected: `names that are ${problem?.expected ?? "others"}`, got: name };
      }
      default:
        return wrong(wanted(formula));
    }
  }

  #inside(value: Json, at: string | number, part: Formula, path: string): ValueProblem | undefined {
    const inner = (value as JsonObject)[at]!;
    const place = join(path, at);
    if (part.kind === "any" && part.parts.length === 0) {
      return { path: place, expected: "nothing here", got: inner };
    }
    return this.explain(inner, part, place);
  }

  /** Of alternatives that all fail, the one that fits furthest; of several here, all that they want. */
  #nearest(problems: readonly ValueProblem[], path: string): ValueProblem | undefined {
    const deeper = problems.filter((problem) => problem.path !== path);
    const [here] = problems;
    if (deeper.length === 1 || (deeper.length > 0 && deeper.length === problems.length)) {
      return deeper.reduce((a, b) => (b.path.length > a.path.length ? b : a));
    }
    if (here === undefined) return undefined;
    const wanted = problems.map(({ path: at, expected }) =>
      at === path ? expected : "an object or list of another form",
    );
    return {
      path,
      expected: [...new Set(wanted)].join(" or "),
      got: problems.find((p) => p.path === path)!.got,
    };
  }
}

function join(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

const TYPE_NAMES: readonly (readonly [number, string])[] = [
  [TYPE.integer | TYPE.fraction, "number"],
  [TYPE.integer, "integer"],
  [TYPE.string, "string"],
  [TYPE.boolean, "boolean"],
  [TYPE.object, "object"],
  [TYPE.array, "array"],
  [TYPE.null, "null"],
];

function namesOf(types: number): string {
  let rest = types;
  const names: string[] = [];
  for (const [type, name] of TYPE_NAMES) {
    if ((rest & type) !== type) continue;
    names.push(name);
    rest &= ~type;
  }
  return names.join(" or ");
}

function wanted(atom: AtomFormula): string {
  switch (atom.kind) {
    case "types":
      return namesOf(atom.types);
    case "values": {
      const some = atom.values.slice(0, 10).map((value) => JSON.stringify(value));
      const more = atom.values.length > some.length ? ", …" : "";
      return `${some.length === 1 ? "" : "one of "}${some.join(", ")}${more}`;
    }
    case "bound":
      return `a number ${atom.relation} ${atom.value}`;
    case "multiple":
      return `a multiple of ${atom.of}`;
    case "length":
      return `${within(atom)} characters`;
    case "count":
      return `${within(atom)} items`;
    case "size":
      return `${within(atom)} properties`;
    case "pattern":
      return `a string that matches ${show(atom.source)}`;
    case "format":
      return `a string of the format ${atom.name}`;
    case "unique":
      return "items that differ";
    case "contains":
      return `${within(atom)} items of the form that \`contains\` asks for`;
    default:
      return "another value";
  }
}

function within({ min, max }: { min: number; max: number | undefined }): string {
  if (max === undefined) return `at least ${min}`;
  return min === 0 ? `at most ${max}` : `${min} to ${max}`;
}
