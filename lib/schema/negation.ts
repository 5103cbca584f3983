import {
  ANY_TYPE,
  type AtomFormula,
  type Formula,
  type Formulas,
  NUMBER,
  type Relation,
  TYPE,
} from "./formula.js";

const OPPOSITE: Readonly<Record<Relation, Relation>> = {
  ">=": "<",
  ">": "<=",
  "<=": ">",
  "<": ">=",
};

/**
 * What holds where the formula does not. Where no grammar can tell, it is a formula that holds for all
 * values of the type, marked as unchecked.
 */
export function negate(formula: Formula, f: Formulas): Formula {
  const { path } = formula;
  switch (formula.kind) {
    case "all":
      return f.any(
        formula.parts.map((part) => f.not(part)),
        path,
      );
    case "any":
      return f.all(
        formula.parts.map((part) => f.not(part)),
        path,
      );
    case "one":
      return notOne(formula.parts, path, f);
    case "not":
      return formula.part;
    case "ref":
      return f.not(formula.resolve());
    default:
      return negateAtom(formula, f);
  }
}

/** None, or two at a time. */
function notOne(parts: readonly Formula[], path: string, f: Formulas): Formula {
  const none = f.all(
    parts.map((part) => f.not(part)),
    path,
  );
  const pairs = parts.flatMap((a, index) => parts.slice(index + 1).map((b) => f.all([a, b], path)));
  return f.any([none, ...pairs], path);
}

function negateAtom(atom: AtomFormula, f: Formulas): Formula {
  const { path } = atom;
  const only = (types: number, ...parts: readonly Formula[]) =>
    f.all([f.types(types, path), ...parts], path);
  const unchecked = (types: number) =>
    only(types, f.unchecked("not", types, "no grammar has the opposite of it", path));
  switch (atom.kind) {
    case "types":
      return f.types(ANY_TYPE & ~atom.types, path);
    case "values":
      return f.make({ ...pick(atom, "kind", "values"), negated: !atom.negated }, path);
    case "bound":
      return only(
        NUMBER,
        f.make({ kind: "bound", relation: OPPOSITE[atom.relation], value: atom.value }, path),
      );
    case "multiple":
      return only(NUMBER, f.make({ kind: "multiple", of: atom.of, negated: !atom.negated }, path));
    case "pattern":
      return only(
        TYPE.string,
        f.make({ kind: "pattern", source: atom.source, negated: !atom.negated }, path),
      );
    case "length":
      return outside(atom, TYPE.string, f);
    case "count":
      return outside(atom, TYPE.array, f);
    case "size":
      return outside(atom, TYPE.object, f);
    case "format":
    case "unique":
    case "names":
    case "unevaluated":
      return unchecked(typesOf(atom));
    case "required":
      return f.any(
        atom.names.map((name) => only(TYPE.object, without(name, path, f))),
        path,
      );
    case "properties": {
      const ways = [...atom.named].map(([name, part]) =>
        only(
          TYPE.object,
          f.make({ kind: "required", names: [name] }, path),
          withProperty(name, f.not(part), path, f),
        ),
      );
      const others = [...atom.patterns.map(([, part]) => part), atom.additional ?? f.TRUE];
      if (others.some((part) => part !== f.TRUE)) ways.push(unchecked(TYPE.object));
      return f.any(ways, path);
    }
    case "items":
      return negateItems(atom, unchecked(TYPE.array), f);
    case "contains": {
      const none = f.make({ kind: "items", prefix: [], rest: f.not(atom.part) }, path);
      if (atom.max !== undefined || atom.min > 1) return unchecked(TYPE.array);
      return atom.min === 0 ? f.FALSE : only(TYPE.array, none);
    }
    case "unchecked":
      return only(atom.types, atom);
  }
}

type Range = Extract<AtomFormula, { kind: "length" | "count" | "size" }>;

function outside(range: Range, type: number, f: Formulas): Formula {
  const { kind, min, max, path } = range;
  const ways: Formula[] = [];
  if (min > 0) ways.push(f.make({ kind, min: 0, max: min - 1 }, path));
  if (max !== undefined) ways.push(f.make({ kind, min: max + 1, max: undefined }, path));
  return f.all([f.types(type, path), f.any(ways, path)], path);
}

function negateItems(
  { prefix, rest, path }: Extract<AtomFormula, { kind: "items" }>,
  unchecked: Formula,
  f: Formulas,
): Formula {
  const ways = prefix.map((part, index) => {
    const before = prefix.slice(0, index).map(() => f.TRUE);
    return f.all(
      [
        f.types(TYPE.array, path),
        f.make({ kind: "count", min: index + 1, max: undefined }, path),
        f.make({ kind: "items", prefix: [...before, f.not(part)], rest: undefined }, path),
      ],
      path,
    );
  });
  if (rest === f.FALSE) {
    const more = f.make({ kind: "count", min: prefix.length + 1, max: undefined }, path);
    ways.push(f.all([f.types(TYPE.array, path), more], path));
  } else if (rest !== undefined && rest !== f.TRUE) {
    const some = f.make({ kind: "contains", part: f.not(rest), min: 1, max: undefined }, path);
    ways.push(prefix.length === 0 ? f.all([f.types(TYPE.array, path), some], path) : unchecked);
  }
  return f.any(ways, path);
}

/** Of objects that do not have the property. */
function without(name: string, path: string, f: Formulas): Formula {
  return withProperty(name, f.FALSE, path, f);
}

function withProperty(name: string, part: Formula, path: string, f: Formulas): Formula {
  const named = new Map([[name, part]]);
  return f.make({ kind: "properties", named, patterns: [], additional: undefined }, path);
}

/** The types of which a formula says anything. */
export function typesOf(atom: AtomFormula): number {
  switch (atom.kind) {
    case "types":
    case "values":
      return ANY_TYPE;
    case "bound":
    case "multiple":
      return NUMBER;
    case "length":
    case "pattern":
    case "format":
      return TYPE.string;
    case "items":
    case "contains":
    case "count":
    case "unique":
      return TYPE.array;
    case "properties":
    case "required":
    case "size":
    case "names":
      return TYPE.object;
    case "unevaluated":
      return atom.of === "items" ? TYPE.array : TYPE.object;
    case "unchecked":
      return atom.types;
  }
}

function pick<T extends object, K extends keyof T>(value: T, ...keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, value[key]])) as Pick<T, K>;
}
