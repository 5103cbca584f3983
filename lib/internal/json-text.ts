import { expected, invalid } from "./errors.js";

/**
 * The caller's value as JSON text. `JSON.stringify` walks it once, so that getters and proxies are read once;
 * what they throw, or a cycle, is ERR_INVALID_ARGUMENT.
 */
export function jsonText(value: unknown, name: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw expected("a value that JSON can hold", name, value, error);
  }
  if (text === undefined) throw expected("a value that JSON can hold", name, value);
  return text;
}

/** An own copy of a value, as its JSON text says. */
export function jsonCopy(value: unknown, name: string): unknown {
  return JSON.parse(jsonText(value, name));
}

/** The caller's JSON text, checked. Some servers send "" for a call without arguments. */
export function objectText(text: string, name: string): string {
  if (text.trim() === "") return "{}";
  const value = parsed(text);
  if (value instanceof Error) {
    throw invalid(
      `Expected JSON text of an object for \`${name}\`, got text that is not JSON: ${value.message}`,
      { name },
      value,
    );
  }
  if (isObject(value)) return text;
  throw expected("JSON text of an object", name, text);
}

/** Whether the text is JSON of an object or an array, and not a word or a number that is also JSON. */
export function isStructure(text: string): boolean {
  if (!/^[\t\n\r ]*[[{]/.test(text)) return false;
  return !(parsed(text) instanceof Error);
}

/** How deep the engine's JSON may be. Whoever walks it there recurses for each level. */
export const MOST_LEVELS = 200;
/** How many members an object there may have. Each is looked for among all before it is added. */
export const MOST_MEMBERS = 10_000;

/** Whether valid JSON text of an object or an array has more levels or members than the engine takes. */
export function isTooNested(json: string): boolean {
  const members: number[] = [];
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === '"') {
      at = endOfString(json, at) - 1;
    } else if (character === "[" || character === "{") {
      if (members.push(0) > MOST_LEVELS) return true;
    } else if (character === "]" || character === "}") {
      members.pop();
    } else if (character === ":") {
      const count = (members.pop() ?? 0) + 1;
      if (count > MOST_MEMBERS) return true;
      members.push(count);
    }
  }
  return false;
}

/** Also of a class; `isPlainObject` is stricter. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    return error instanceof Error ? error : new SyntaxError("not JSON");
  }
}

/**
 * Valid JSON text in the form that the Llama 3 family was trained on, that of Python's
 * `json.dumps(ensure_ascii=False)`: on one line, or with one element per line if `indent` is given. It works
 * on the text, so that keys keep their order and numbers their digits (1.0 stays 1.0).
 */
export function pythonJson(json: string, indent = 0): string {
  const out: string[] = [];
  let depth = 0;
  const newline = () => {
    if (indent > 0) out.push(`\n${" ".repeat(indent * depth)}`);
  };
  for (let at = 0; at < json.length; ) {
    const character = json[at] as string;
    if (character === "{" || character === "[") {
      const next = skipSpace(json, at + 1);
      out.push(character);
      if (json[next] === "}" || json[next] === "]") {
        out.push(json[next] as string);
        at = next + 1;
        continue;
      }
      depth += 1;
      newline();
      at += 1;
    } else if (character === "}" || character === "]") {
      depth -= 1;
      newline();
      out.push(character);
      at += 1;
    } else if (character === ",") {
      out.push(indent > 0 ? "," : ", ");
      newline();
      at += 1;
    } else if (character === ":") {
      out.push(": ");
      at += 1;
    } else if (isSpace(character)) {
      at += 1;
    } else {
      const end = character === '"' ? endOfString(json, at) : endOfWord(json, at);
      const token = json.slice(at, end);
      out.push(token.includes("\\") ? JSON.stringify(JSON.parse(token)) : token);
      at = end;
    }
  }
  return out.join("");
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

function endOfWord(json: string, start: number): number {
  let at = start;
  while (at < json.length && !",:{}[]".includes(json[at] as string) && !isSpace(json[at])) at += 1;
  return at;
}

function skipSpace(json: string, start: number): number {
  let at = start;
  while (isSpace(json[at])) at += 1;
  return at;
}

function isSpace(character: string | undefined): boolean {
  return character === " " || character === "\n" || character === "\t" || character === "\r";
}
