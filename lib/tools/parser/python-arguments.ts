import { brokenCall, type Callable, type CallableTools, type FoundCall } from "./callable-tools.js";
import { afterSpace, COMMA, isNamePart, isNameStart, isWord } from "./characters.js";
import { type Literal, LiteralReader, type Members } from "./literal-reader.js";

/** The text between the parentheses, and the whole call. */
export interface WrittenCall {
  readonly text: string;
  readonly source: string;
}

/** Words that may stand beside another operand in a Python expression. */
const OPERATORS = new Set("lambda if else for in is not and or await async yield from".split(" "));
const SHOWN = 80;

/**
 * A Python call's arguments by name. Positional ones get the names of the schema's properties, in
 * their order. A dict as the only argument holds them all, unless none of its keys is the tool's. A call
 * whose arguments are not literals is never evaluated: it has a problem. So has one whose positional
 * arguments have no names. An unknown name with arguments that are not even an expression is prose: then
 * the result is undefined.
 */
export function readCallArguments(
  callable: Callable,
  { text, source }: WrittenCall,
  tools: CallableTools,
): FoundCall | undefined {
  const list = readList(text);
  if (typeof list === "string") {
    if (!tools.has(callable.name) && !isExpression(text)) return undefined;
    return brokenCall(callable, list, source);
  }
  const members = nameThem(list, tools.properties(callable));
  if (typeof members === "string") return brokenCall(callable, members, source);
  return { ...callable, arguments: tools.arguments(callable.name, members) };
}

interface Argument {
  readonly name: string | undefined;
  readonly value: Literal;
}

/** The arguments, or what is wrong with them. */
function readList(text: string): Argument[] | string {
  const reader = new LiteralReader(text, true);
  const list: Argument[] = [];
  while (!reader.ended()) {
    const start = reader.at;
    const equals = keywordEnd(text, start);
    const name = equals < 0 ? undefined : keywordAt(text, start);
    if (equals >= 0) reader.at = equals;
    const value = reader.value();
    if (value === undefined) return notLiteral(text.slice(start));
    reader.space();
    if (reader.at < text.length) {
      if (text.charCodeAt(reader.at) !== COMMA) return notLiteral(text.slice(start));
      reader.at++;
    }
    list.push({ name, value });
  }
  return list;
}

function notLiteral(text: string): string {
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  return `Expected literal arguments, got ${shown.trim()}`;
}

function nameThem(list: readonly Argument[], properties: readonly string[] | undefined) {
  const [first] = list;
  if (list.length === 1 && first?.name === undefined && first?.value.kind === "object") {
    const { members } = first.value;
    const keys = [...members.keys()];
    if (properties === undefined || keys.length === 0) return members;
    if (keys.some((key) => properties.includes(key))) return members;
  }
  const members: Members = new Map();
  for (const [index, { name, value }] of list.entries()) {
    const key = name ?? properties?.[index];
    if (key === undefined) {
      return properties === undefined
        ? "Expected arguments by name, since the tool's parameters are not known"
        : `Expected at most ${properties.length} arguments, got ${list.length}`;
    }
    if (members.has(key)) return `The argument ${JSON.stringify(key)} is given twice`;
    members.set(key, value);
  }
  return members;
}

/** The place after the "=" of the keyword at `at`, or -1. */
function keywordEnd(text: string, at: number): number {
  if (!isNameStart(text.charCodeAt(at))) return -1;
  let end = at;
  while (isNamePart(text.charCodeAt(end))) end++;
  end = afterSpace(text, end);
  return text[end] === "=" && text[end + 1] !== "=" ? end + 1 : -1;
}

function keywordAt(text: string, at: number): string {
  let end = at;
  while (isNamePart(text.charCodeAt(end))) end++;
  return text.slice(at, end);
}

/** Whether no two words are adjacent, as they are in prose. Strings do not count as words. */
function isExpression(text: string): boolean {
  let previous = "";
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (!isWord(code)) {
      if (code === 0x22 || code === 0x27) at = stringEnd(text, at);
      else at++;
      if (code > 0x20) previous = "";
      continue;
    }
    const start = at;
    while (isWord(text.charCodeAt(at))) at++;
    const word = text.slice(start, at);
    if (previous !== "" && !OPERATORS.has(previous) && !OPERATORS.has(word)) return false;
    previous = word;
  }
  return true;
}

function stringEnd(text: string, start: number): number {
  const end = text.indexOf(text[start] as string, start + 1);
  return end < 0 ? text.length : end + 1;
}
