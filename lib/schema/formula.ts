import { Numbering } from "./language/numbering.js";

/** A set of JSON types, a bit each. Numbers are of two kinds, so that "integer" is one. */
export const TYPE = {
  null: 1,
  boolean: 2,
  integer: 4,
  fraction: 8,
  string: 16,
  array: 32,
  object: 64,
} as const;
export const NUMBER = TYPE.integer | TYPE.fraction;
export const ANY_TYPE = 127;

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Whether a value is over, or under, a number, or may be it. */
export type Relation = ">=" | ">" | "<=" | "<";

/** What one keyword asks of values of its type; values of other types satisfy it. */
type Atom =
  | { readonly kind: "types"; readonly types: number }
  | { readonly kind: "values"; readonly values: readonly Json[]; readonly negated: boolean }
  | { readonly kind: "bound"; readonly relation: Relation; readonly value: number }
  | { readonly kind: "multiple"; readonly of: number; readonly negated: boolean }
  | { readonly kind: "length"; readonly min: number; readonly max: number | undefined }
  | { readonly kind: "pattern"; readonly source: string; readonly negated: boolean }
  | { readonly kind: "format"; readonly name: string }
  | {
      readonly kind: "items";
      readonly prefix: readonly Formula[];
      readonly rest: Formula | undefined;
    }
  | {
      readonly kind: "contains";
      readonly part: Formula;
      readonly min: number;
      readonly max: number | undefined;
    }
  | { readonly kind: "count"; readonly min: number; readonly max: number | undefined }
  | { readonly kind: "unique" }
  | {
      readonly kind: "properties";
      readonly named: ReadonlyMap<string, Formula>;
      readonly patterns: readonly (readonly [source: string, part: Formula])[];
      readonly additional: Formula | undefined;
    }
  | { readonly kind: "required"; readonly names: readonly string[] }
  | { readonly kind: "size"; readonly min: number; readonly max: number | undefined }
  | { readonly kind: "names"; readonly part: Formula }
  /** For what no other keyword of the schema around it, or of those in its place, speaks of. */
  | { readonly kind: "unevaluated"; readonly of: "items" | "properties"; readonly part: Formula }
  /** Holds for all, since no grammar can tell: whoever validates has to. */
  | {
      readonly kind: "unchecked";
      readonly keyword: string;
      readonly types: number;
      readonly reason: string;
    };

type Shape =
  | Atom
  | { readonly kind: "all"; readonly parts: readonly Formula[] }
  | { readonly kind: "any"; readonly parts: readonly Formula[] }
  | { readonly kind: "one"; readonly parts: readonly Formula[] }
  | { readonly kind: "not"; readonly part: Formula }
  | { readonly kind: "ref"; readonly target: object; readonly resolve: () => Formula };

interface Place {
  /** Equal formulas have one number. */
  readonly id: number;
  /** A JSON pointer into the schema, with its "#". */
  readonly path: string;
}

/** What a schema says, or a part of it. */
export type Formula = Shape & Place;
export type AtomFormula = Atom & Place;
export type PropertiesAtom = Extract<AtomFormula, { kind: "properties" }>;

/** Makes formulas, each once. */
export class Formulas {
  readonly #known = new Map<string, Formula>();
  readonly #targets = new Numbering<object>();
  readonly #kinds = new Set<Formula["kind"]>();
  readonly TRUE: Formula;
  readonly FALSE: Formula;

  constructor() {
    this.TRUE = this.make({ kind: "all", parts: [] }, "#");
    this.FALSE = this.make({ kind: "any", parts: [] }, "#");
  }

  get count(): number {
    return this.#known.size;
  }

  /** Whether any of this kind was made. */
  has(kind: Formula["kind"]): boolean {
    return this.#kinds.has(kind);
  }

  make(shape: Shape, path: string): Formula {
    const key = this.#keyOf(shape);
    let formula = this.#known.get(key);
    if (formula === undefined) {
      formula = { ...shape, id: this.#known.size, path };
      this.#kinds.add(shape.kind);
      this.#known.set(key, formula);
    }
    return formula;
  }

  all(parts: readonly Formula[], path: string): Formula {
    const all = parts.filter((part) => part !== this.TRUE);
    if (all.includes(this.FALSE)) return this.FALSE;
    const [only] = all;
    if (all.length === 1 && only!.kind !== "unevaluated") return only!;
    return this.make({ kind: "all", parts: all }, path);
  }

  any(parts: readonly Formula[], path: string): Formula {
    if (parts.includes(this.TRUE)) return this.TRUE;
    const any = [...new Set(parts)].filter((part) => part !== this.FALSE);
    return any.length === 1 ? any[0]! : this.make({ kind: "any", parts: any }, path);
  }

  types(types: number, path: string): Formula {
    if (types === ANY_TYPE) return this.TRUE;
    return types === 0 ? this.FALSE : this.make({ kind: "types", types }, path);
  }

  not(part: Formula): Formula {
    if (part === this.TRUE) return this.FALSE;
    return part === this.FALSE ? this.TRUE : this.make({ kind: "not", part }, part.path);
  }

  unchecked(keyword: string, types: number, reason: string, path: string): Formula {
    return this.make({ kind: "unchecked", keyword, types, reason }, path);
  }

  /** Equal for equal shapes only: each kind begins with its own name. */
  #keyOf(shape: Shape): string {
    const { kind } = shape;
    switch (kind) {
      case "types":
        return `types ${shape.types}`;
      case "all":
      case "any":
      case "one":
        return `${kind} ${idsOf(shape.parts)}`;
      case "not":
      case "names":
        return `${kind} ${shape.part.id}`;
      case "items":
        return `items ${idsOf(shape.prefix)} ${shape.rest?.id}`;
      case "contains":
        return `contains ${shape.part.id} ${shape.min} ${shape.max}`;
      case "length":
      case "count":
      case "size":
        return `${kind} ${shape.min} ${shape.max}`;
      case "bound":
        return `bound ${shape.relation} ${shape.value}`;
      case "unevaluated":
        return `unevaluated ${shape.of} ${shape.part.id}`;
      case "ref":
        return `ref ${this.#targets.of(shape.target)}`;
      case "properties":
        return keyOfProperties(shape);
      default:
        return JSON.stringify(shape);
    }
  }
}

function idsOf(parts: readonly Formula[]): string {
  let ids = "";
  for (const { id } of parts) ids += `${id},`;
  return ids;
}

function keyOfProperties({ named, patterns, additional }: Extract<Shape, { kind: "properties" }>) {
  let key = `properties ${additional?.id}`;
  for (const [name, { id }] of named) key += ` ${JSON.stringify(name)}${id}`;
  for (const [source, { id }] of patterns) key += ` /${JSON.stringify(source)}${id}`;
  return key;
}

/** Of characters, items or properties. */
export interface Range {
  readonly min: number;
  readonly max: number | undefined;
}

/** What all atoms together allow. */
export function rangeOf(kind: "length" | "count" | "size", atoms: readonly AtomFormula[]): Range {
  let min = 0;
  let max: number | undefined;
  for (const atom of atoms) {
    if (atom.kind !== kind) continue;
    min = Math.max(min, atom.min);
    if (atom.max !== undefined) max = Math.min(max ?? atom.max, atom.max);
  }
  return { min, max };
}
