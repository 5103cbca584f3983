import { type AtomFormula, type Formula, type Json, type JsonObject, TYPE } from "./formula.js";
import { matches } from "./language/dfa.js";
import { formatLanguage } from "./language/formats.js";
import { isObject } from "./schema-document.js";
import { SchemaProblem } from "./schema-problem.js";

/** Whether a pattern is found in a text. */
export type Matches = (source: string, text: string) => boolean;

/** An item or a property that nothing speaks of but a keyword for those. */
export interface Unspoken {
  readonly at: string | number;
  readonly part: Formula;
}

/** What of a value has been spoken of. */
interface Evaluated {
  readonly names: Set<string>;
  readonly items: Set<number>;
}

export function typeOf(value: Json): number {
  switch (typeof value) {
    case "boolean":
      return TYPE.boolean;
    case "string":
      return TYPE.string;
    case "number":
      // JSON has none such, but JSON.parse() makes one of 1e999: it is of no type.
      if (!Number.isFinite(value)) return 0;
      return Number.isInteger(value) ? TYPE.integer : TYPE.fraction;
    default:
      if (value === null) return TYPE.null;
      return Array.isArray(value) ? TYPE.array : TYPE.object;
  }
}

/** As JSON Schema has it: the order of properties says nothing. */
export function canonical(value: Json): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(canonical).join(",")}]`;
  const members = Object.entries(value).map(
    ([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`,
  );
  return `{${members.sort().join(",")}}`;
}

type UncheckedAtom = Extract<AtomFormula, { kind: "unchecked" }>;

export interface EvaluatorOptions {
  /** Told of what is unchecked and was taken to hold, wherever in the value. */
  readonly onUnchecked?: (atom: UncheckedAtom) => void;
  /** Default: by division, as most checkers have it. */
  readonly isMultiple?: (value: number, step: number) => boolean;
}

function isQuotient(value: number, step: number): boolean {
  return Number.isInteger(value / step);
}

/** Whether a value is what a formula says: exactly, but that nothing fails for what is unchecked. */
export class Evaluator {
  readonly #matches: Matches;
  readonly #onUnchecked: ((atom: UncheckedAtom) => void) | undefined;
  readonly #isMultiple: (value: number, step: number) => boolean;
  readonly #known = new Map<AtomFormula, Set<string>>();
  /** Steps that may still be made. */
  #budget: number;
  /** Whether what is unchecked holds: not within what must not hold. */
  #lenient = true;
  /** How often something unchecked was met. */
  #met = 0;

  constructor(isMatch: Matches, budget: number, options: EvaluatorOptions = {}) {
    this.#matches = isMatch;
    this.#budget = budget;
    this.#onUnchecked = options.onUnchecked;
    this.#isMultiple = options.isMultiple ?? isQuotient;
  }

  holds(value: Json, formula: Formula): boolean {
    if (this.#budget-- <= 0) throw new SchemaProblem("#", "there are too many values to try");
    switch (formula.kind) {
      case "all":
        return (
          formula.parts.every((part) => this.holds(value, part)) &&
          this.unevaluated(value, formula).length === 0
        );
      case "any":
        return formula.parts.some((part) => this.holds(value, part));
      case "one":
        return this.#one(value, formula.parts);
      case "not":
        return !this.#otherwise(() => this.holds(value, formula.part));
      case "ref":
        return this.holds(value, formula.resolve());
      default:
        return this.#atom(value, formula);
    }
  }

  #one(value: Json, parts: readonly Formula[]): boolean {
    const met = this.#met;
    const count = () => parts.filter((part) => this.holds(value, part)).length;
    const held = count();
    if (met === this.#met) return held === 1;
    // Of what is unchecked some may hold, and some not.
    const others = this.#otherwise(count);
    const [most, least] = this.#lenient ? [held, others] : [others, held];
    return this.#lenient ? most >= 1 && least <= 1 : most === 1 && least === 1;
  }

  /** With what is unchecked taken the other way. */
  #otherwise<T>(evaluate: () => T): T {
    this.#lenient = !this.#lenient;
    const result = evaluate();
    this.#lenient = !this.#lenient;
    return result;
  }

  /** What no other part speaks of, and is not as it should be then: names or indices. */
  unevaluated(value: Json, { parts }: Extract<Formula, { kind: "all" }>): Unspoken[] {
    return parts.flatMap((atom): Unspoken[] => {
      if (atom.kind !== "unevaluated" || typeof value !== "object" || value === null) return [];
      if (Array.isArray(value) !== (atom.of === "items")) return [];
      const found: Evaluated = { names: new Set(), items: new Set() };
      for (const part of parts) if (part !== atom) this.#collect(value, part, found);
      const { part } = atom;
      if (Array.isArray(value)) {
        return value.flatMap((item: Json, at: number) =>
          found.items.has(at) || this.holds(item, part) ? [] : [{ at, part }],
        );
      }
      return Object.entries(value as JsonObject).flatMap(([at, inner]) =>
        found.names.has(at) || this.holds(inner, part) ? [] : [{ at, part }],
      );
    });
  }

  #collect(value: Json, formula: Formula, into: Evaluated): void {
    switch (formula.kind) {
      case "all":
        for (const part of formula.parts) this.#collect(value, part, into);
        return;
      case "any":
      case "one":
        for (const part of formula.parts) {
          if (this.holds(value, part)) this.#collect(value, part, into);
        }
        return;
      case "ref":
        this.#collect(value, formula.resolve(), into);
        return;
      case "items":
      case "contains":
        if (!Array.isArray(value)) return;
        for (const [index, item] of (value as readonly Json[]).entries()) {
          const spoken =
            formula.kind === "contains"
              ? this.holds(item, formula.part)
              : index < formula.prefix.length || formula.rest !== undefined;
          if (spoken) into.items.add(index);
        }
        return;
      case "properties":
        if (!isObject(value)) return;
        for (const name of Object.keys(value)) {
          const parts = partsFor(name, formula, (source) => this.#matches(source, name));
          if (parts.length > 0) into.names.add(name);
        }
        return;
      case "unevaluated":
        if (Array.isArray(value) !== (formula.of === "items")) return;
        if (Array.isArray(value)) for (const index of value.keys()) into.items.add(index);
        else if (isObject(value)) for (const name of Object.keys(value)) into.names.add(name);
        return;
      default:
    }
  }

  #atom(value: Json, atom: AtomFormula): boolean {
    switch (atom.kind) {
      case "types":
        return (typeOf(value) & atom.types) !== 0;
      case "values":
        return this.#valuesOf(atom).has(canonical(value)) !== atom.negated;
      case "bound":
      case "multiple":
        return typeof value !== "number" || this.#number(value, atom);
      case "length":
      case "pattern":
      case "format":
        return typeof value !== "string" || this.#text(value, atom);
      case "items":
      case "contains":
      case "count":
      case "unique":
        return !Array.isArray(value) || this.#array(value, atom);
      case "properties":
      case "required":
      case "size":
      case "names":
        return !isObject(value) || this.#object(value, atom);
      case "unchecked":
        if ((atom.types & typeOf(value)) === 0) return true;
        this.#met++;
        this.#onUnchecked?.(atom);
        return this.#lenient;
      case "unevaluated": // it depends on what is around it
        return true;
    }
  }

  #valuesOf(atom: Extract<AtomFormula, { kind: "values" }>): Set<string> {
    let known = this.#known.get(atom);
    if (known === undefined) {
      known = new Set(atom.values.map(canonical));
      this.#known.set(atom, known);
    }
    return known;
  }

  #number(value: number, atom: Extract<AtomFormula, { kind: "bound" | "multiple" }>): boolean {
    if (!Number.isFinite(value)) return false;
    if (atom.kind === "multiple") return this.#isMultiple(value, atom.of) !== atom.negated;
    switch (atom.relation) {
      case ">=":
        return value >= atom.value;
      case ">":
        return value > atom.value;
      case "<=":
        return value <= atom.value;
      case "<":
        return value < atom.value;
    }
  }

  #text(value: string, atom: Extract<AtomFormula, { kind: "length" | "pattern" | "format" }>) {
    if (atom.kind === "length") return within([...value].length, atom);
    if (atom.kind === "pattern") return this.#matches(atom.source, value) !== atom.negated;
    const language = formatLanguage(atom.name);
    return typeof language !== "object" || matches(language, value);
  }

  #array(
    value: readonly Json[],
    atom: Extract<AtomFormula, { kind: "items" | "contains" | "count" | "unique" }>,
  ): boolean {
    switch (atom.kind) {
      case "items":
        return value.every((item, index) => {
          const part = atom.prefix[index] ?? atom.rest;
          return part === undefined || this.holds(item, part);
        });
      case "contains":
        return within(value.filter((item) => this.holds(item, atom.part)).length, atom);
      case "count":
        return within(value.length, atom);
      case "unique":
        return new Set(value.map(canonical)).size === value.length;
    }
  }

  #object(
    value: JsonObject,
    atom: Extract<AtomFormula, { kind: "properties" | "required" | "size" | "names" }>,
  ): boolean {
    const keys = Object.keys(value);
    switch (atom.kind) {
      case "required":
        return atom.names.every((name) => Object.hasOwn(value, name));
      case "size":
        return within(keys.length, atom);
      case "names":
        return keys.every((key) => this.holds(key, atom.part));
      case "properties":
        return keys.every((key) =>
          partsFor(key, atom, (source) => this.#matches(source, key)).every((part) =>
            this.holds(value[key]!, part),
          ),
        );
    }
  }
}

function within(count: number, { min, max }: { min: number; max: number | undefined }): boolean {
  return count >= min && (max === undefined || count <= max);
}

/** What one schema's `properties` and their like say of a property. */
export function partsFor(
  name: string,
  { named, patterns, additional }: Extract<AtomFormula, { kind: "properties" }>,
  isMatch: (source: string) => boolean,
): Formula[] {
  const parts: Formula[] = [];
  const own = named.get(name);
  if (own !== undefined) parts.push(own);
  let matched = own !== undefined;
  for (const [source, part] of patterns) {
    if (!isMatch(source)) continue;
    parts.push(part);
    matched = true;
  }
  if (!matched && additional !== undefined) parts.push(additional);
  return parts;
}
