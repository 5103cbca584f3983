import type { Json, JsonObject } from "./formula.js";
import { SchemaProblem } from "./schema-problem.js";

/** Keywords whose value is a schema, a list of them, or schemas by names. */
const SCHEMAS = new Set([
  ...["additionalItems", "additionalProperties", "contains", "else", "if", "items", "not"],
  ...["propertyNames", "then", "unevaluatedItems", "unevaluatedProperties", "contentSchema"],
]);
const LISTS = new Set(["allOf", "anyOf", "oneOf", "prefixItems", "items"]);
const MAPS = new Set([
  ...["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"],
  "properties",
]);
/** Where a schema without an $id is. */
const NOWHERE = "cria:/";
const LATEST = 2020;

export interface Location {
  readonly schema: Json;
  readonly path: string;
  /** The URI that references in it are relative to. */
  readonly base: string;
}

/** A schema's references, with all that they can lead to. */
export class SchemaDocument {
  readonly root: Location;
  /** The draft named by $schema; the latest where there is none. */
  readonly draft: number;
  /** Whether it matters by which schema an item or a property was spoken of. */
  tracksEvaluation = false;
  readonly #dialect: number | undefined;
  readonly #resources = new Map<string, Location>();
  readonly #anchors = new Map<string, Location>();
  readonly #dynamic = new Map<string, number>();
  #recursive = 0;
  readonly #bases = new Map<Json, string>();
  /** URIs that name several schemas which say different things. */
  readonly #ambiguous = new Set<string>();

  constructor(schema: JsonObject) {
    this.#dialect = draftOf(schema);
    this.draft = this.#dialect ?? LATEST;
    this.#resources.set(NOWHERE, { schema, path: "#", base: NOWHERE });
    this.#index(schema, "#", NOWHERE);
    this.root = { schema, path: "#", base: this.#bases.get(schema) ?? NOWHERE };
  }

  /** Where the schemas right inside one are. */
  inside({ path, base }: Location, schema: Json, ...keys: readonly string[]): Location {
    let place = path;
    for (const key of keys) place += `/${escapePointer(key)}`;
    return { schema, path: place, base: this.#bases.get(schema) ?? base };
  }

  /** @throws {SchemaProblem} */
  resolve(ref: string, { base, path }: Location, keyword: string): Location {
    const uri = resolveUri(ref, base);
    if (uri === undefined)
      throw new SchemaProblem(`${path}/${keyword}`, `${JSON.stringify(ref)} is no URI`);
    const [address, fragment] = split(uri);
    if (this.#ambiguous.has(address) || this.#ambiguous.has(`${address}#${fragment}`)) {
      throw new SchemaProblem(
        `${path}/${keyword}`,
        `the reference ${JSON.stringify(ref)} leads to several schemas`,
      );
    }
    const anchor = this.#anchors.get(`${address}#${fragment}`);
    if (anchor !== undefined) {
      if (keyword === "$dynamicRef" && (this.#dynamic.get(fragment) ?? 0) > 1) {
        throw new SchemaProblem(
          `${path}/${keyword}`,
          `which $dynamicAnchor ${JSON.stringify(fragment)} is meant depends on the way to it`,
        );
      }
      return anchor;
    }
    const resource = this.#resources.get(address);
    if (resource === undefined) {
      throw new SchemaProblem(
        `${path}/${keyword}`,
        `the reference ${JSON.stringify(ref)} leads out of the schema`,
      );
    }
    if (keyword === "$recursiveRef" && isRecursive(resource.schema) && this.#recursive > 1) {
      throw new SchemaProblem(
        `${path}/${keyword}`,
        "which $recursiveAnchor is meant depends on the way to it",
      );
    }
    const target = this.#follow(resource, fragment);
    if (target !== undefined) return target;
    throw new SchemaProblem(
      `${path}/${keyword}`,
      `the reference ${JSON.stringify(ref)} leads nowhere`,
    );
  }

  #follow(resource: Location, fragment: string): Location | undefined {
    if (fragment !== "" && !fragment.startsWith("/")) return undefined;
    let { schema, path, base } = resource;
    for (const token of fragment.split("/").slice(1)) {
      const key = unescapePointer(token);
      if (typeof schema !== "object" || schema === null || !Object.hasOwn(schema, key)) {
        return undefined;
      }
      schema = (schema as JsonObject)[key]!;
      path += `/${escapePointer(key)}`;
      base = this.#bases.get(schema) ?? base;
    }
    if (typeof schema !== "boolean" && !this.#bases.has(schema)) {
      this.#index(schema, path, base);
      base = this.#bases.get(schema) ?? base;
    }
    return { schema, path, base };
  }

  #index(schema: Json, path: string, base: string): void {
    if (!isObject(schema) || this.#bases.has(schema)) return;
    const own = this.#name(schema, path, base);
    if ("unevaluatedProperties" in schema || "unevaluatedItems" in schema) {
      this.tracksEvaluation = true;
    }
    this.#bases.set(schema, own);
    for (const key of Object.keys(schema)) {
      const value = schema[key]!;
      if (typeof value !== "object" || value === null) continue;
      if (Array.isArray(value)) {
        if (!LISTS.has(key)) continue;
        for (const [index, part] of value.entries())
          this.#index(part, `${path}/${key}/${index}`, own);
      } else if (SCHEMAS.has(key)) {
        this.#index(value, `${path}/${key}`, own);
      } else if (MAPS.has(key)) {
        for (const [name, part] of Object.entries(value)) {
          this.#index(part, `${path}/${key}/${escapePointer(name)}`, own);
        }
      }
    }
  }

  /** Registers the names of a schema; the base of what is in it. */
  #name(schema: JsonObject, path: string, base: string): string {
    let own = base;
    const id = this.draft <= 4 ? (schema.id ?? schema.$id) : schema.$id;
    const overridden = schema.$ref !== undefined && id !== undefined;
    if (overridden && path !== "#" && this.#dialect === undefined) {
      throw new SchemaProblem(
        path,
        `drafts differ about "$id" beside "$ref": name one by "$schema"`,
      );
    }
    if (typeof id === "string" && !(overridden && this.draft <= 7)) {
      const uri = resolveUri(id, base);
      if (uri !== undefined) {
        const [address, fragment] = split(uri);
        if (fragment !== "" && !fragment.startsWith("/")) {
          this.#add(this.#anchors, `${address}#${fragment}`, { schema, path, base });
        } else {
          own = address;
          this.#add(this.#resources, own, { schema, path, base: own });
        }
      }
    }
    if (isRecursive(schema)) this.#recursive++;
    for (const key of ["$anchor", "$dynamicAnchor"]) {
      const anchor = schema[key];
      if (typeof anchor !== "string") continue;
      this.#add(this.#anchors, `${own}#${anchor}`, { schema, path, base: own });
      if (key === "$anchor") continue;
      this.#dynamic.set(anchor, (this.#dynamic.get(anchor) ?? 0) + 1);
    }
    return own;
  }

  #add(known: Map<string, Location>, uri: string, location: Location): void {
    const before = known.get(uri);
    if (before !== undefined && !this.#ambiguous.has(uri)) {
      if (!isSame(before.schema, location.schema)) this.#ambiguous.add(uri);
    }
    known.set(uri, location);
  }
}

function isRecursive(schema: Json): boolean {
  return isObject(schema) && schema.$recursiveAnchor === true;
}

function isSame(one: Json, other: Json): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function draftOf({ $schema }: JsonObject): number | undefined {
  const named = /draft-0?([3-7])|\/(2019|2020)-/.exec(typeof $schema === "string" ? $schema : "");
  return named === null ? undefined : Number(named[1] ?? named[2]);
}

/** Characters of a fragment that every URI has as they stand. */
const PLAIN_FRAGMENT = /^#[\w$./-]*$/;

function resolveUri(ref: string, base: string): string | undefined {
  // Most references are such; a base has no fragment.
  if (PLAIN_FRAGMENT.test(ref)) return base + ref;
  try {
    return new URL(ref, base).href;
  } catch {
    return undefined;
  }
}

function split(uri: string): [address: string, fragment: string] {
  const at = uri.indexOf("#");
  return at < 0 ? [uri, ""] : [uri.slice(0, at), decode(uri.slice(at + 1))];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function escapePointer(key: string): string {
  // Most keys have neither.
  if (!/[~/]/.test(key)) return key;
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function unescapePointer(token: string): string {
  return token.replaceAll("~1", "/").replaceAll("~0", "~");
}
