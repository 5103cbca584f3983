import { isInScope, isNegated, type Member } from "./conjunction-state.js";
import { propertyParts, requiredNames } from "./conjunctions.js";
import { partsFor } from "./evaluation.js";
import { type AtomFormula, type Formula, type PropertiesAtom, rangeOf } from "./formula.js";
import {
  choice,
  type Expression,
  NOTHING,
  type Rule,
  sequence,
  text,
  use,
} from "./grammar-rules.js";
import { TooManyStates } from "./language/budget.js";
import { ANY_TEXT, type Dfa, intersect, isEmpty, subtract, unite } from "./language/dfa.js";
import { MAX_STATES } from "./language/regex.js";
import type { Values } from "./values-interface.js";

/** Required names without a schema of their own may come in any order, up to so many. */
const MAX_ANY_ORDER = 4;
const MAX_REGIONS = 64;
/** Of all known names, which the others are told apart from character by character. */
const MAX_NAME_CHARACTERS = 100_000;
/** Of a name and a part of the schema that may speak of it. */
const MAX_PAIRS = 1_000_000;

interface Field {
  readonly required: boolean;
  /** Its name and its value; NOTHING where it has none. */
  readonly member: Expression;
}

/** Names that are not known one by one, and what stands behind them. */
interface Region {
  readonly names: Dfa | undefined;
  readonly parts: readonly Formula[];
}

/** How far an object is: the next field, which late ones are there, and how many in all, as far as it counts. */
interface Progress {
  readonly next: number;
  readonly late: number;
  readonly count: number;
}

const NONE: readonly Formula[] = [];

/** The grammar of the objects that satisfy some atoms. */
export class ObjectGrammar {
  readonly #grammar: Values;
  readonly #members: readonly Member[];
  readonly #atoms: readonly AtomFormula[];
  readonly #fields: Field[] = [];
  readonly #late: Field[] = [];
  #others: Expression = NOTHING;
  #lastRequired = -1;
  #min = 0;
  #max: number | undefined;
  readonly #rules = { members: new Map<number, Rule>(), rest: new Map<number, Rule>() };
  readonly #waiting: (() => void)[] = [];

  constructor(grammar: Values, members: readonly Member[]) {
    this.#grammar = grammar;
    this.#members = members;
    this.#atoms = members.map(({ atom }) => atom);
  }

  expression(): Expression {
    const properties = this.#atoms.filter((atom) => atom.kind === "properties");
    const meant = this.#members.filter(({ chain }) => !isNegated(chain)).map(({ atom }) => atom);
    const closed = this.#isClosed(meant);
    const required = requiredNames(this.#atoms);
    const known = new Set(properties.flatMap(({ named }) => [...named.keys()]));
    const declared = closed ? namesIn(meant) : known;
    if ((known.size + required.size) * this.#atoms.length > MAX_PAIRS) {
      this.#grammar.problem(
        this.#atoms[0]?.path ?? "#",
        "too many schemas speak of its properties",
      );
    }
    for (const name of declared) {
      const field = this.#field(name, required.has(name));
      if (field.member !== NOTHING) this.#fields.push(field);
      else if (field.required) return NOTHING;
    }
    const late = [...required].filter((name) => !declared.has(name));
    // What is there only for another schema not to hold is none of the object's properties.
    if (closed && late.some((name) => !requiredNames(meant).has(name))) return NOTHING;
    for (const name of late) {
      const field = this.#field(name, true);
      if (field.member === NOTHING) return NOTHING;
      (late.length <= MAX_ANY_ORDER ? this.#late : this.#fields).push(field);
    }
    if (!closed) this.#others = this.#otherMembers(properties, [...known, ...late]);
    this.#limit();
    this.#lastRequired = this.#fields.findLastIndex(({ required }) => required);
    const start: Progress = { next: 0, late: 0, count: 0 };
    const { inside } = this.#grammar.layout;
    const ways = [this.#more(start)];
    if (this.#isDone(start)) ways.push(text("}"));
    const object = sequence(text("{"), inside, choice(...ways));
    for (const define of this.#waiting) define();
    return object;
  }

  /** Objects are what their `properties` say and nothing else, where the schema leaves it open. */
  #isClosed(meant: readonly AtomFormula[]): boolean {
    const { closed, formulas } = this.#grammar;
    const properties = meant.filter((atom) => atom.kind === "properties");
    const names = ({ named }: PropertiesAtom) =>
      named.size === 0 || [...named.values()].some((part) => part !== formulas.FALSE);
    if (!closed || !properties.some(names)) return false;
    return properties.every(({ patterns, additional }) => patterns.length === 0 && !additional);
  }

  #field(name: string, required: boolean): Field {
    const { formulas, conjunctions, layout } = this.#grammar;
    const parts = propertyParts(this.#atoms, name, this.#grammar.texts);
    for (const atom of this.#atoms) {
      if (atom.kind !== "names") continue;
      if (!this.#grammar.evaluator.holds(name, atom.part)) parts.push(formulas.FALSE);
      else this.#grammar.reportWithin(name, [atom.part]);
    }
    const is = (source: string) => this.#grammar.texts.isMatch(source, name);
    parts.push(...this.#unevaluated((atom) => partsFor(name, atom, is).length > 0));
    const goal = this.#grammar.goal(parts);
    if (!conjunctions.isSatisfiable(goal)) return { required, member: NOTHING };
    const value = this.#grammar.value(goal);
    return { required, member: sequence(text(JSON.stringify(name)), layout.colon, value) };
  }

  /** What is said of properties that nothing else in the same schema speaks of. */
  #unevaluated(isEvaluated: (atom: PropertiesAtom) => boolean): readonly Formula[] {
    if (!this.#atoms.some(({ kind }) => kind === "unevaluated")) return NONE;
    return this.#members.flatMap(({ atom, chain }) => {
      if (atom.kind !== "unevaluated") return [];
      const spoken = this.#members.some(
        (other) =>
          other.atom !== atom &&
          isInScope(other.chain, chain) &&
          (other.atom.kind === "unevaluated" ||
            (other.atom.kind === "properties" && isEvaluated(other.atom))),
      );
      return spoken ? [] : [atom.part];
    });
  }

  #otherMembers(properties: readonly PropertiesAtom[], known: readonly string[]): Expression {
    const { layout, formulas, texts } = this.#grammar;
    const plain = this.#plainOthers(properties, known);
    if (plain !== undefined) return plain;
    const byGoal = new Map<string, Region>();
    for (const region of this.#regions(properties, known)) {
      const goal = this.#grammar.goal(region.parts);
      if (goal.includes(formulas.FALSE)) continue;
      const key = goal.map(({ id }) => id).join(",");
      const same = byGoal.get(key);
      const names =
        same?.names === undefined || region.names === undefined
          ? region.names
          : unite(same.names, region.names, texts.limits(MAX_STATES));
      byGoal.set(key, { names, parts: goal });
    }
    const members = [...byGoal.values()].map(({ names, parts }) => {
      const value = this.#grammar.value(parts);
      if (names === undefined) return sequence(this.#grammar.text.any(), layout.colon, value);
      const name = this.#grammar.text.accepted({ dfa: names, min: 0, max: undefined });
      return sequence(name, layout.colon, value);
    });
    const all = choice(...members);
    return all === NOTHING ? NOTHING : use(this.#grammar.rules.define("other", all));
  }

  /** Where nothing is said of other names, none has to be told from another. */
  #plainOthers(
    properties: readonly PropertiesAtom[],
    known: readonly string[],
  ): Expression | undefined {
    const { text, layout, formulas } = this.#grammar;
    if (known.length === 0 || lengthOf(known) > MAX_NAME_CHARACTERS) return undefined;
    if (properties.some(({ patterns }) => patterns.length > 0)) return undefined;
    if (this.#atoms.some(({ kind }) => kind === "names")) return undefined;
    const goal = this.#grammar.goal(this.#partsOf(properties, []));
    if (goal.includes(formulas.FALSE)) return NOTHING;
    const value = this.#grammar.value(goal);
    const member = sequence(text.otherThan(known), layout.colon, value);
    return use(this.#grammar.rules.define("other", member));
  }

  /** The names that are not known, parted by the patterns that they match. */
  #regions(properties: readonly PropertiesAtom[], known: readonly string[]): Region[] {
    const sources = [
      ...new Set(properties.flatMap(({ patterns }) => patterns.map(([source]) => source))),
    ];
    const { texts } = this.#grammar;
    const limits = texts.limits(MAX_STATES);
    let all: Dfa | undefined;
    try {
      if (lengthOf(known) > MAX_NAME_CHARACTERS)
        throw new TooManyStates("names of too many characters");
      if (known.length > 0) all = texts.otherThan(known);
      for (const atom of this.#atoms) {
        if (atom.kind !== "names") continue;
        const names = this.#grammar.namesOf(atom.part);
        if (names !== undefined) all = intersect(all ?? ANY_TEXT, names, limits);
      }
      let parts: { names: Dfa | undefined; matched: readonly string[] }[] = [
        { names: all, matched: [] },
      ];
      for (const source of sources) {
        const pattern = texts.pattern(source);
        parts = parts.flatMap(({ names, matched }) => [
          {
            names: intersect(names ?? ANY_TEXT, pattern, limits),
            matched: [...matched, source],
          },
          { names: subtract(names ?? ANY_TEXT, pattern, limits), matched },
        ]);
        parts = parts.filter(({ names }) => names === undefined || !isEmpty(names));
        if (parts.length > MAX_REGIONS) throw new TooManyStates("too many patterns");
      }
      return parts
        .filter(({ names }) => names === undefined || !isEmpty(names))
        .map(({ names, matched }) => ({ names, parts: this.#partsOf(properties, matched) }));
    } catch (error) {
      if (!(error instanceof TooManyStates)) throw error;
      const path = properties[0]?.path ?? this.#atoms[0]?.path ?? "#";
      this.#grammar.problem(path, `the names of other properties take too many states`);
    }
  }

  #partsOf(properties: readonly PropertiesAtom[], matched: readonly string[]): Formula[] {
    const speaks = ({ patterns, additional }: PropertiesAtom) => {
      const own = patterns.filter(([source]) => matched.includes(source)).map(([, part]) => part);
      return own.length === 0 && additional !== undefined ? [additional] : own;
    };
    const parts = properties.flatMap(speaks);
    parts.push(...this.#unevaluated((atom) => speaks(atom).length > 0));
    return parts;
  }

  /** How many properties there may be, as far as it is not said already. */
  #limit(): void {
    const { min, max } = rangeOf("size", this.#atoms);
    const all = [...this.#fields, ...this.#late];
    const needed = all.filter(({ required }) => required).length;
    this.#min = min > needed ? min : 0;
    const most = this.#others === NOTHING ? all.length : Number.POSITIVE_INFINITY;
    this.#max = max !== undefined && max < most ? max : undefined;
    // A name may come twice among the others, and then counts once.
    if (this.#min <= 1 || this.#others === NOTHING) return;
    const atom = this.#atoms.find((other) => other.kind === "size" && other.min === min)!;
    this.#grammar.leave("minProperties", atom.path, "names that no schema knows may repeat");
  }

  #isDone({ next, late, count }: Progress): boolean {
    return count >= this.#min && late === (1 << this.#late.length) - 1 && next > this.#lastRequired;
  }

  /** At least one more member. */
  #more(at: Progress): Expression {
    return this.#rule("members", at, () => {
      const { next, late, count } = at;
      if (this.#max !== undefined && count >= this.#max) return NOTHING;
      const counted = Math.min(count + 1, this.#max ?? this.#min);
      const field = this.#fields[next];
      if (field !== undefined) {
        const here = sequence(field.member, this.#rest({ next: next + 1, late, count: counted }));
        return field.required ? here : choice(here, this.#more({ next: next + 1, late, count }));
      }
      const ways = this.#late.flatMap((one, index) =>
        (late & (1 << index)) !== 0
          ? []
          : [sequence(one.member, this.#rest({ next, late: late | (1 << index), count: counted }))],
      );
      if (this.#others !== NOTHING) {
        ways.push(sequence(this.#others, this.#rest({ next, late, count: counted })));
      }
      return choice(...ways);
    });
  }

  /** What stands behind a member. */
  #rest(at: Progress): Expression {
    return this.#rule("rest", at, () => {
      const { comma, inside } = this.#grammar.layout;
      const more = sequence(comma, this.#more(at));
      return this.#isDone(at) ? choice(more, sequence(inside, text("}"))) : more;
    });
  }

  #rule(
    hint: "members" | "rest",
    { next, late, count }: Progress,
    define: () => Expression,
  ): Expression {
    const key = (count * (this.#fields.length + 1) + next) * (1 << MAX_ANY_ORDER) + late;
    let rule = this.#rules[hint].get(key);
    if (rule === undefined) {
      const made = this.#grammar.rules.declare(hint);
      this.#rules[hint].set(key, made);
      this.#waiting.push(() => {
        made.definition = define();
      });
      rule = made;
    }
    return use(rule);
  }
}

function lengthOf(names: readonly string[]): number {
  return names.reduce((sum, name) => sum + name.length, 0);
}

function namesIn(atoms: readonly AtomFormula[]): Set<string> {
  return new Set(
    atoms.flatMap((atom) => (atom.kind === "properties" ? [...atom.named.keys()] : [])),
  );
}
