// Whether a model's calls are those that were wanted: names, arguments, types and values, as BFCL compares the
// syntax trees of calls. A wanted call is `{ function: { parameter: [values that are right] } }`; "" among the
// values means that the parameter may be left out.

/**
 * Null where the calls are the wanted ones, in any order; otherwise why not.
 *
 * @param calls `{ name, arguments }`, the arguments as JSON text
 * @param functions the declarations that the model was given, in BFCL's form
 */
export function callsProblem(calls, wanted, functions) {
  if (calls.length !== wanted.length) return `${calls.length} calls, not ${wanted.length}`;
  const problems = calls.map((call) => wanted.map((one) => callProblem(call, one, functions)));
  const partners = pairUp(problems.map((row) => row.map((problem) => problem === null)));
  const alone = partners.indexOf(-1);
  return alone === -1 ? null : problems[alone].find((problem) => problem !== null);
}

/** A wanted call for each call, every one once, or -1: as many pairs as there can be. */
export function pairUp(fits) {
  const partners = fits.map(() => -1);
  const taken = new Map();
  const place = (call, tried) => {
    for (const [wanted, fit] of fits[call].entries()) {
      if (!fit || tried.has(wanted)) continue;
      tried.add(wanted);
      if (taken.has(wanted) && !place(taken.get(wanted), tried)) continue;
      taken.set(wanted, call);
      partners[call] = wanted;
      return true;
    }
    return false;
  };
  for (const call of fits.keys()) place(call, new Set());
  return partners;
}

/** Null where it is the wanted one. */
export function callProblem(call, wanted, functions) {
  const [[name, expected]] = Object.entries(wanted);
  if (plainName(call.name) !== plainName(name)) return `calls ${call.name}, not ${name}`;
  const given = parsedObject(call.arguments);
  if (given === undefined) return `the arguments of ${name} are no JSON object`;
  const declared = functions.find((one) => plainName(one.name) === plainName(name));
  if (declared === undefined) return `${name} is not declared`;
  const { properties = {}, required = [] } = declared.parameters ?? {};
  const missing = required.find((parameter) => !Object.hasOwn(given, parameter));
  if (missing !== undefined) return `${name} lacks "${missing}"`;
  for (const [parameter, value] of Object.entries(given)) {
    if (!Object.hasOwn(properties, parameter) || !Object.hasOwn(expected, parameter)) {
      return `${name} has no "${parameter}"`;
    }
    if (!valueFits(value, expected[parameter], properties[parameter])) {
      return `"${parameter}" of ${name} is ${JSON.stringify(value)}`;
    }
  }
  const left = Object.keys(expected).find(
    (parameter) => !Object.hasOwn(given, parameter) && !expected[parameter].includes(""),
  );
  return left === undefined ? null : `${name} lacks "${left}"`;
}

/** Many models take no dots in names, and write lines for them. */
export const plainName = (name) => String(name).replaceAll(".", "_");

/** Of the declared type, and one of the values that are right. */
export function valueFits(value, right, declared = {}) {
  // A parameter whose right values are of another type than declared (a variable's name) may have theirs.
  const values = right.filter((one) => one !== "");
  const typed = ofType(value, declared.type) || values.some((one) => kindOf(one) === kindOf(value));
  if (!typed) return false;
  // An optional parameter given as an empty text is as good as one that is left out.
  return right.some((one) => (one === "" ? value === "" : equal(value, one)));
}

function ofType(value, type) {
  switch (type) {
    case "string":
      return typeof value === "string";
    case "integer":
      return Number.isInteger(value);
    case "float":
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "array":
    case "tuple":
      return Array.isArray(value);
    case "dict":
    case "object":
      return kindOf(value) === "object";
    default:
      return true;
  }
}

/**
 * Texts up to case, spaces and the marks of dates and lists; lists item by item; objects as `right` has them: a
 * list of right values for each key.
 */
function equal(value, right) {
  if (typeof value === "string" && typeof right === "string") return bare(value) === bare(right);
  if (kindOf(value) !== kindOf(right)) return false;
  if (Array.isArray(value)) {
    return value.length === right.length && value.every((item, index) => equal(item, right[index]));
  }
  if (kindOf(value) !== "object") return value === right;
  const known = Object.keys(value).every(
    (key) => Object.hasOwn(right, key) && listed(right[key]).some((one) => equal(value[key], one)),
  );
  const all = Object.keys(right).every(
    (key) => Object.hasOwn(value, key) || listed(right[key]).includes(""),
  );
  return known && all;
}

const listed = (values) => (Array.isArray(values) ? values : [values]);

function kindOf(value) {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function bare(text) {
  return text
    .replace(/[ ,./\-_*^]/g, "")
    .toLowerCase()
    .replaceAll("'", '"');
}

function parsedObject(text) {
  try {
    const value = JSON.parse(text);
    return kindOf(value) === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}
