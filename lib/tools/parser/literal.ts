/** A value as the model wrote it. */
export type Literal = Members | Literal[] | string | Scalar;

/** Keys in order. If a key is given twice, the last value counts, as for `JSON.parse`. */
export type Members = Map<string, Literal>;

/** A number, boolean or null, as JSON text. */
export interface Scalar {
  readonly json: string;
}

const WORD = /^(?:[Tt]rue|[Ff]alse|null|None)$/;
const INTEGER = /^([+-]?)(0[xX][\da-fA-F]{1,64}|0[oO][0-7]{1,64}|0[bB][01]{1,64})$/;
const NUMBER = /^([+-]?)(?:(0|[1-9]\d*)(\.\d*)?|(\.\d+))([eE][+-]?\d+)?$/;

/**
 * What JSON or Python spells without quotes. Numbers keep their digits, however many, since 64-bit ids do not
 * survive a JavaScript number. Undefined for anything else, infinities and NaN included.
 */
export function scalarOf(text: string): Scalar | undefined {
  if (WORD.test(text)) return { json: text === "None" ? "null" : text.toLowerCase() };
  const number = NUMBER.exec(text.includes("_") ? text.replace(/(\d)_(?=\d)/g, "$1") : text);
  if (number !== null) {
    const [, sign, whole = "0", point = "", fraction = point, exponent = ""] = number;
    return { json: `${minus(sign)}${whole}${fraction === "." ? ".0" : fraction}${exponent}` };
  }
  const [, sign, digits] = INTEGER.exec(text) ?? [];
  return digits === undefined ? undefined : { json: `${minus(sign)}${BigInt(digits)}` };
}

/** JSON has no "+" there. */
function minus(sign: string | undefined): string {
  return sign === "-" ? "-" : "";
}

/** Compact JSON. */
export function toJson(literal: Literal): string {
  if (typeof literal === "string") return JSON.stringify(literal);
  if (Array.isArray(literal)) return `[${literal.map(toJson).join(",")}]`;
  if (!(literal instanceof Map)) return literal.json;
  const members = [...literal].map(([key, value]) => `${JSON.stringify(key)}:${toJson(value)}`);
  return `{${members.join(",")}}`;
}

const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g;
const LETTERS: Readonly<Record<string, string>> = {
  "\\": "\\",
  '"': '"',
  "'": "'",
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
};

/**
 * The text that the inside of a string literal stands for. JSON's escapes and Python's differ in
 * "\/" alone, and what neither knows stays as it is written, as in Python: models write regular
 * expressions with too few backslashes.
 */
export function decodeString(body: string, json: boolean): string {
  if (!body.includes("\\")) return body;
  return body.replace(ESCAPE, (written, x, u, long, octal, letter) => {
    if (letter === "/" && json) return "/";
    if (letter !== undefined) return LETTERS[letter] ?? written;
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
    const code = Number.parseInt(x ?? u ?? long, 16);
    return code > 0x10ffff ? written : String.fromCodePoint(code);
  });
}
