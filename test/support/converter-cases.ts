import { readFileSync } from "node:fs";
import { join } from "node:path";
import { llamaCppDir } from "./llama-cpp-dir.js";

/** One case of llama.cpp's own test of its JSON Schema converter. */
export interface ConverterCase {
  readonly name: string;
  readonly succeeds: boolean;
  readonly schema: string;
  readonly grammar: string;
}

/** Read from the tree that the engine was built from: `test({ STATUS, "name", schema, grammar });`. */
export function converterCases(): ConverterCase[] {
  const path = join(llamaCppDir(), "tests", "test-json-schema-to-grammar.cpp");
  const source = readFileSync(path, "utf8");
  const cases: ConverterCase[] = [];
  for (const { 1: status, index, 0: opening } of source.matchAll(
    /\btest\(\{\s*(SUCCESS|FAILURE),/g,
  )) {
    const fields: string[] = [];
    let at = index + opening.length;
    while (fields.length < 3) {
      const [literal, text] = cString(source, at);
      fields.push(text);
      at = literal;
    }
    const [name, schema, grammar] = fields as [string, string, string];
    cases.push({ name, succeeds: status === "SUCCESS", schema, grammar });
  }
  return cases;
}

/** The next string of the source, raw or plain, and where it ends. */
function cString(source: string, from: number): [end: number, text: string] {
  const found = /R"([^(]*)\((.*?)\)\1"|"((?:[^"\\]|\\.)*)"/sy;
  const start = source.slice(from).search(/R?"/) + from;
  found.lastIndex = start;
  const match = found.exec(source);
  if (match === null) throw new Error(`No string at ${source.slice(from, from + 40)}`);
  return [found.lastIndex, match[2] ?? (JSON.parse(`"${match[3]}"`) as string)];
}

/** Leading and trailing white space means nothing there. */
export function trimmed(grammar: string): string {
  return grammar.trim().replace(/(^|\n)[ \t]+/g, "$1");
}
