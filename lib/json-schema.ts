import { CriaError, expected, invalid, show } from "./errors.js";
import { isPlainObject, isWellFormed, MAX_INT32, unreadable } from "./options.js";

/** llama.cpp's converter recurses into schemas. */
const MAX_DEPTH = 100;
const MAX_VALUES = 100_000;
const MAX_CHARACTERS = 1 << 20;
/** Of a property's name or a reference: it goes through them by recursion, too. */
const MAX_NAME = 4096;
/** Bound the time and memory of the conversion: what it visits, and the rule names that it makes. */
const MAX_NODES = 10_000;
const MAX_NAME_CHARACTERS = 8_000_000;

/** As many as JSON Schema has. */
const TYPES = 7;

const COUNTS = new Set(["minItems", "maxItems", "minLength", "maxLength"]);
const BOUNDS = new Set(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]);
/** Their values hold no schemas, whatever they look like. */
const DATA = new Set(["const", "enum", "default", "examples", "required"]);
/** Their values are schemas by names, which may look like keywords. */
const NAMED = new Set(["properties", "$defs", "definitions"]);

type Role = "schema" | "names" | "data";
type Copy = null | boolean | number | string | Copy[] | { [key: string]: Copy };

/** What the converter will make of a value: schemas that it visits, and the length of their names. */
interface Extent {
  readonly nodes: number;
  readonly characters: number;
}

const NOTHING: Extent = { nodes: 0, characters: 0 };

/**
 * The JSON text of a schema, each property read once, keys in their order. Throws ERR_INVALID_ARGUMENT
 * for what is no JSON, ERR_SCHEMA_UNSUPPORTED for what the converter would not survive or misread.
 */
export function schemaText(schema: unknown): string {
  if (!isPlainObject(schema)) throw expected("a JSON Schema as a plain object", "schema", schema);
  try {
    return new SchemaReader().read(schema);
  } catch (error) {
    throw CriaError.is(error) ? error : unreadable(error, "schema", schema);
  }
}

class SchemaReader {
  private readonly above = new Set<object>();
  private readonly extents = new Map<Copy, Extent>();
  private readonly refs = new Set<string>();
  private values = 0;
  private characters = 0;

  read(schema: object): string {
    const copy = this.copy(schema, "schema", "schema");
    let { nodes, characters } = this.extentOf(copy);
    for (const ref of this.refs) {
      const extent = this.extentOf(resolve(copy, ref));
      nodes += extent.nodes;
      characters += extent.characters;
    }
    if (nodes > MAX_NODES || characters > MAX_NAME_CHARACTERS) throw tooLarge();
    return JSON.stringify(copy);
  }

  private copy(value: unknown, role: Role, name: string): Copy {
    if (++this.values > MAX_VALUES) throw tooLarge();
    switch (typeof value) {
      case "boolean":
        return value;
      case "string":
        return this.text(value, name);
      case "number":
        if (!Number.isFinite(value)) throw expected("a finite number", name, value);
        return value;
      case "object":
        if (value === null) return null;
        return this.nested(value, role, name);
      default:
        throw expected("JSON", name, value);
    }
  }

  private text(value: string, name: string): string {
    if (!isWellFormed(value)) throw expected("well-formed Unicode", name, value);
    this.characters += value.length;
    if (this.characters > MAX_CHARACTERS) throw tooLarge();
    return value;
  }

  private nested(value: object, role: Role, name: string): Copy {
    if (this.above.has(value)) {
      throw invalid(`Expected JSON for \`schema\`, got an object that contains itself at ${name}`);
    }
    if (this.above.size >= MAX_DEPTH) {
      throw unsupported(`it is more than ${MAX_DEPTH} levels deep`);
    }
    this.above.add(value);
    const copy = Array.isArray(value)
      ? this.array(value, role, name)
      : this.object(value, role, name);
    this.above.delete(value);
    return copy;
  }

  private array(value: readonly unknown[], role: Role, name: string): Copy {
    const copy: Copy[] = [];
    let nodes = 1;
    let characters = 0;
    const { length } = value;
    for (let i = 0; i < length; i++) {
      const item = this.copy(value[i], role, `${name}[${i}]`);
      const extent = this.extentOf(item);
      nodes += extent.nodes;
      characters += extent.characters + extent.nodes * String(i).length;
      copy.push(item);
    }
    this.extents.set(copy, { nodes, characters });
    return copy;
  }

  private object(value: object, role: Role, name: string): Copy {
    if (!isPlainObject(value)) throw expected("JSON", name, value);
    const copy: { [key: string]: Copy } = Object.create(null);
    let nodes = 1;
    let characters = 0;
    for (const key of Object.keys(value)) {
      const inner = value[key];
      if (inner === undefined) continue;
      this.text(key, `a key of ${name}`);
      if (key.length > MAX_NAME) {
        throw unsupported(`it has a key of more than ${MAX_NAME} characters`);
      }
      const item = this.copy(inner, roleOf(key, role), `${name}.${shorten(key)}`);
      if (role === "schema") this.keyword(key, item, name);
      const extent = this.extentOf(item);
      // Names that are not plain may come out alike, which takes the converter time to mend.
      nodes += extent.nodes + (/^[\w-]*$/.test(key) ? 0 : 2);
      characters += extent.characters + extent.nodes * (key.length + 1);
      copy[key] = item;
    }
    const times = role === "schema" ? timesBuilt(copy) : 1;
    this.extents.set(copy, { nodes: nodes * times, characters: characters * times });
    return copy;
  }

  /** What the converter would read otherwise than it stands there. */
  private keyword(key: string, value: Copy, name: string): void {
    if (key === "$ref" && typeof value === "string") {
      if (value.length > MAX_NAME) {
        throw unsupported(`it has a $ref of more than ${MAX_NAME} characters`);
      }
      this.refs.add(value);
    } else if (typeof value !== "number") {
      return;
    } else if (COUNTS.has(key) && !(Number.isInteger(value) && value >= 0 && value <= MAX_INT32)) {
      throw unsupported(
        `${name}.${key} is ${show(value)}; llama.cpp takes integers from 0 to ${MAX_INT32}`,
      );
    } else if (BOUNDS.has(key) && !(Math.abs(value) <= Number.MAX_SAFE_INTEGER)) {
      throw unsupported(
        `${name}.${key} is ${show(value)}; bounds are exact only up to 2^53 - 1: leave it out`,
      );
    }
  }

  private extentOf(value: Copy | undefined): Extent {
    return (value !== undefined && this.extents.get(value)) || NOTHING;
  }
}

function roleOf(key: string, role: Role): Role {
  if (role !== "schema") return role === "names" ? "schema" : "data";
  if (DATA.has(key)) return "data";
  return NAMED.has(key) ? "names" : "schema";
}

/** The converter builds what is below a list of types once for each type that has something below. */
function timesBuilt({ type, allOf }: { [key: string]: Copy }): number {
  if (!Array.isArray(type)) return 1;
  if (type.length > TYPES) throw unsupported(`it has a list of more than ${TYPES} types`);
  const nesting = type.filter(
    (t) => t === "object" || t === "array" || (t === "string" && allOf !== undefined),
  );
  return Math.max(1, nesting.length);
}

/** As the converter follows a reference. */
function resolve(root: Copy, ref: string): Copy | undefined {
  let target: Copy | undefined = root;
  for (const key of ref.slice(1).split("/").slice(1)) {
    if (typeof target !== "object" || target === null) return undefined;
    target = Array.isArray(target)
      ? target[Number(key)]
      : Object.hasOwn(target, key)
        ? target[key]
        : undefined;
  }
  return target;
}

function shorten(key: string): string {
  return key.length > 40 ? `${key.slice(0, 40)}…` : key;
}

function tooLarge(): CriaError {
  return unsupported("it is too large to be converted");
}

function unsupported(reason: string): CriaError {
  return new CriaError(
    "ERR_SCHEMA_UNSUPPORTED",
    `This JSON Schema cannot be made a grammar: ${reason}.`,
  );
}
