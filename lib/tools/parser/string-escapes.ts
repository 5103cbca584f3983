const SIMPLE: Readonly<Record<string, string>> = {
  "\\": "\\",
  '"': '"',
  "'": "'",
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\x07",
  "\n": "",
};

const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };
const MAX_CODE_POINT = 0x10ffff;

/**
 * The text that the inside of a string literal stands for. JSON's escapes and Python's differ in
 * "\/" alone, and what neither knows stays as it is written, as in Python: models write regular
 * expressions with too few backslashes.
 */
export function decodeString(body: string, json: boolean): string {
  const parts: string[] = [];
  let from = 0;
  for (let at = body.indexOf("\\"); at >= 0; at = body.indexOf("\\", from)) {
    parts.push(body.slice(from, at));
    const letter = body[at + 1] ?? "";
    const digits = HEX_DIGITS[letter];
    const simple = json && letter === "/" ? "/" : SIMPLE[letter];
    from = at + 2;
    if (simple !== undefined) {
      parts.push(simple);
    } else if (digits !== undefined) {
      const text = body.slice(from, from + digits);
      const code = isHex(text, digits) ? Number.parseInt(text, 16) : Number.POSITIVE_INFINITY;
      if (code <= MAX_CODE_POINT) from += digits;
      parts.push(code <= MAX_CODE_POINT ? fromCode(code) : `\\${letter}`);
    } else if (letter >= "0" && letter <= "7" && letter !== "") {
      const end = octalEnd(body, at + 1);
      parts.push(String.fromCharCode(Number.parseInt(body.slice(at + 1, end), 8)));
      from = end;
    } else {
      parts.push(`\\${letter}`);
    }
  }
  parts.push(body.slice(from));
  return parts.join("");
}

/** A half of a surrogate pair stays one, so that two escapes make one character. */
function fromCode(code: number): string {
  return code > 0xffff ? String.fromCodePoint(code) : String.fromCharCode(code);
}

function isHex(text: string, digits: number): boolean {
  return text.length === digits && /^[0-9a-fA-F]+$/.test(text);
}

function octalEnd(body: string, start: number): number {
  let end = start;
  while (end < start + 3 && body[end] !== undefined && body[end]! >= "0" && body[end]! <= "7") {
    end++;
  }
  return end;
}
