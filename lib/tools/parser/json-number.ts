const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const PYTHON_NUMBER = /^([+-]?)(\d+(?:_\d+)*)?(?:(\.)(\d+(?:_\d+)*)?)?([eE][+-]?\d+)?$/;
const PYTHON_INTEGER = /^([+-]?)(0[xX][0-9a-fA-F]{1,64}|0[oO][0-7]{1,64}|0[bB][01]{1,64})$/;

/**
 * The JSON text of a number as JSON or Python writes it: the same digits, however many, since 64-bit
 * ids do not survive a JavaScript number. Undefined for anything else, infinities and NaN included.
 */
export function jsonNumber(text: string): string | undefined {
  if (JSON_NUMBER.test(text)) return text;
  const radix = PYTHON_INTEGER.exec(text);
  if (radix !== null) return `${radix[1] === "-" ? "-" : ""}${BigInt(radix[2] as string)}`;
  const parts = PYTHON_NUMBER.exec(text);
  if (parts === null) return undefined;
  const [, sign, whole = "", point, fraction = "", exponent = ""] = parts;
  if (whole === "" && fraction === "") return undefined;
  const digits = whole.replaceAll("_", "") || "0";
  if (digits.length > 1 && digits.startsWith("0")) return undefined;
  const decimals = point === undefined ? "" : `.${fraction.replaceAll("_", "") || "0"}`;
  return `${sign === "-" ? "-" : ""}${digits}${decimals}${exponent}`;
}
