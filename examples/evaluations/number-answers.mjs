// The number at the end of a solution, and whether two of them are the same.

/** GSM8K's own rule: what follows the first "####". */
const MARKED = /####\s*(-?\$?-?\d[\d,]*(?:\.\d+)?|-?\$?-?\.\d+)/;
const NUMBER = /-?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)/g;

/** The number behind "####" in the shape of `canonicalNumber`, or null where the text has none. */
export function markedNumber(text) {
  const [, found] = MARKED.exec(text) ?? [];
  return found === undefined ? null : canonicalNumber(found);
}

/** The last number of the text, whatever stands around it. */
export function lastNumber(text) {
  const found = text.match(NUMBER)?.at(-1);
  return found === undefined ? null : canonicalNumber(found);
}

/**
 * One spelling for each number: no thousands' commas, no dollar, no zeros that change nothing. As text, so that
 * numbers of any length are compared exactly.
 */
export function canonicalNumber(text) {
  const bare = text.replace(/[$,]/g, "");
  const [, minus, whole, fraction = ""] = /^(-*)(\d*)(?:\.(\d*))?$/.exec(bare) ?? [];
  if (minus === undefined || (whole === "" && fraction === "")) return null;
  const digits = whole.replace(/^0+(?=\d)/, "") || "0";
  const behind = fraction.replace(/0+$/, "");
  const number = behind === "" ? digits : `${digits}.${behind}`;
  return minus === "-" && number !== "0" ? `-${number}` : number;
}
