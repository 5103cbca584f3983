// Instances as a grammar has them: with their properties in the order in which the schema names them.

/** A value with its properties in the order in which the schema names them. */
export function inOrder(value, schema, root = schema) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    return value.map((item, index) => inOrder(item, itemSchema(schema, root, index), root));
  }
  const named = namedIn(schema, root, new Set());
  const ordered = {};
  for (const [name, part] of named) {
    if (Object.hasOwn(value, name)) define(ordered, name, inOrder(value[name], part, root));
  }
  for (const [name, part] of Object.entries(value)) {
    if (!named.has(name))
      define(ordered, name, inOrder(part, otherSchema(schema, root, name), root));
  }
  return ordered;
}

function define(object, name, value) {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
}

/** All properties that a schema names, its own and those of the schemas in its place. */
function namedIn(schema, root, seen) {
  const named = new Map();
  if (typeof schema !== "object" || schema === null || seen.has(schema)) return named;
  seen.add(schema);
  const add = (other) => {
    for (const [name, part] of other) {
      named.set(name, named.has(name) ? { allOf: [named.get(name), part] } : part);
    }
  };
  // A schema's own come first.
  if (typeof schema.properties === "object") add(Object.entries(schema.properties));
  for (const [key, value] of Object.entries(schema)) {
    if (["allOf", "anyOf", "oneOf"].includes(key)) {
      for (const part of value) add(namedIn(part, root, seen));
    } else if (["if", "then", "else", "not"].includes(key)) add(namedIn(value, root, seen));
    else if (key === "dependentSchemas" || key === "dependencies") {
      for (const part of Object.values(value)) add(namedIn(part, root, seen));
    } else if (key === "$ref") add(namedIn(follow(value, root), root, seen));
  }
  return named;
}

function otherSchema(schema, root, name) {
  const parts = [];
  for (const part of inPlace(schema, root, new Set())) {
    for (const [source, inner] of Object.entries(part.patternProperties ?? {})) {
      if (new RegExp(source).test(name)) parts.push(inner);
    }
    if (typeof part.additionalProperties === "object") parts.push(part.additionalProperties);
  }
  return { allOf: parts };
}

function itemSchema(schema, root, index) {
  const parts = [];
  for (const { items, prefixItems, additionalItems } of inPlace(schema, root, new Set())) {
    const tuple = prefixItems ?? (Array.isArray(items) ? items : undefined);
    const rest = prefixItems === undefined && Array.isArray(items) ? additionalItems : items;
    const part = tuple?.[index] ?? rest;
    if (typeof part === "object") parts.push(part);
  }
  return { allOf: parts };
}

/** A schema and those that stand in its place. */
function inPlace(schema, root, seen) {
  if (typeof schema !== "object" || schema === null || seen.has(schema)) return [];
  seen.add(schema);
  const found = [schema];
  for (const key of ["allOf", "anyOf", "oneOf"]) {
    for (const part of schema[key] ?? []) found.push(...inPlace(part, root, seen));
  }
  for (const key of ["if", "then", "else"]) found.push(...inPlace(schema[key], root, seen));
  if (typeof schema.$ref === "string")
    found.push(...inPlace(follow(schema.$ref, root), root, seen));
  return found;
}

function follow(ref, root) {
  if (!ref.startsWith("#")) return undefined;
  let at = root;
  for (const token of ref.slice(1).split("/").slice(1)) {
    const key = decodeURIComponent(token).replaceAll("~1", "/").replaceAll("~0", "~");
    at = at?.[key];
  }
  return at;
}
