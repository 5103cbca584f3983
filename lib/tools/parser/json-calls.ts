import type { Calls, Candidate } from "./call-candidate.js";
import { brokenCall, type CallableTools, type FoundCall } from "./callable-tools.js";
import {
  COMMA,
  CURLY_CLOSE,
  CURLY_OPEN,
  FAIL,
  isSpace,
  MORE,
  SQUARE_CLOSE,
  type Step,
} from "./characters.js";
import { type Literal, LiteralReader, type Members, readLiteral } from "./literal-reader.js";
import { ValueTracker, WreckTracker } from "./value-trackers.js";

/**
 * `{"name": …, "parameters": {…}}`, or an array of nothing but such objects, in JSON or as Python
 * prints a dict. What counts as a call:
 *
 * - an object with a `name` that is a string (`function` in its place, also as OpenAI nests it) and
 *   `parameters` or `arguments` that are an object, a string that holds one, `""` or null; other
 *   keys do not matter, nor the order;
 * - for a tool that was given, also an object of a name (and `type`, `id`) alone;
 * - not a tool's definition, which has the same keys but a `description` and a schema.
 *
 * Where the name is a given tool's and the arguments cannot be read, it is a call with a problem, so
 * that the model can be told; a syntax error takes it to where the brackets balance, and a blank line
 * before that makes it text. Any other JSON is text.
 */
export class JsonCandidate implements Candidate {
  readonly mayBeCode = false;
  isBrokenCall = false;
  readonly isValue = true;
  isHopeless = false;
  readonly #tools: CallableTools;
  readonly #value: ValueTracker;
  readonly #isArray: boolean;
  #wreck: WreckTracker | undefined;
  #length: number;
  #complete = 0;
  #firstItem = true;

  /** Begins after its opening bracket and white space, which are `length` characters. */
  constructor(tools: CallableTools, open: number, length: number) {
    this.#tools = tools;
    this.#length = length;
    this.#isArray = open !== CURLY_OPEN;
    this.#value = new ValueTracker(open === CURLY_OPEN ? CURLY_CLOSE : SQUARE_CLOSE);
  }

  step(code: number, soFar: () => string): Step {
    this.#length++;
    if (this.#wreck !== undefined) return this.#wreck.step(code);
    const step = this.#value.step(code);
    if (this.isHopeless) return step;
    if (step === FAIL) return this.#failed(code, soFar());
    if (this.#isArray && step === MORE) this.#item(code, soFar);
    return step;
  }

  #failed(code: number, source: string): Step {
    const reader = new LiteralReader(source, false);
    reader.value();
    const name = reader.open === undefined ? undefined : nameOf(reader.open.members);
    this.isBrokenCall = name !== undefined;
    if (name === undefined || !this.#tools.has(name)) return FAIL;
    this.#wreck = new WreckTracker(this.#value.closers.length);
    return this.#wreck.step(code);
  }

  /** An array whose first item is not a call has none. */
  #item(code: number, soFar: () => string): void {
    if (this.#firstItem && !isSpace(code)) {
      this.#firstItem = false;
      this.isHopeless = code !== CURLY_OPEN;
    }
    if (!this.#value.betweenItems || code !== CURLY_CLOSE) return;
    if (this.#complete === 0) this.isHopeless = this.#whole(`${soFar()}}]`) === undefined;
    this.#complete = this.#length;
  }

  calls(source: string): Calls | undefined {
    const calls = this.#wreck === undefined ? this.#whole(source) : this.#broken(source);
    return calls === undefined ? undefined : { calls, length: source.length };
  }

  #whole(source: string): FoundCall[] | undefined {
    const literal = readLiteral(source);
    if (literal === undefined) return this.#broken(source);
    return this.#isArray
      ? readCalls(literal.kind === "array" ? literal.items : [], this.#tools, source)
      : readCalls([literal], this.#tools, source);
  }

  /** In an array, the calls before the broken one count, too. */
  #broken(source: string): FoundCall[] | undefined {
    const reader = new LiteralReader(source, false);
    reader.value();
    const broken = this.#callIn(reader, source);
    if (broken === undefined) return undefined;
    if (reader.items.length === 0) return [broken];
    const before = readCalls(reader.items, this.#tools, source);
    return before === undefined ? undefined : [...before, broken];
  }

  #callIn(reader: LiteralReader, source: string): FoundCall | undefined {
    const name = reader.open === undefined ? undefined : nameOf(reader.open.members);
    if (reader.open === undefined || name === undefined || !this.#tools.has(name)) return undefined;
    const call = { name, format: "json" } as const;
    return brokenCall(call, "The call is not valid JSON", source.slice(reader.open.at));
  }

  /** The complete items of an array, with the comma and the white space after them. */
  cutOff(source: string): Calls | undefined {
    if (this.#complete === 0 || this.#wreck !== undefined) return undefined;
    const literal = readLiteral(`${source.slice(0, this.#complete)}]`);
    if (literal?.kind !== "array") return undefined;
    const calls = readCalls(literal.items, this.#tools, source);
    if (calls === undefined) return undefined;
    let length = this.#complete;
    while (isSpace(source.charCodeAt(length)) || source.charCodeAt(length) === COMMA) length++;
    return { calls, length };
  }
}

/** Undefined unless there are items and all of them are calls. */
function readCalls(
  items: readonly Literal[],
  tools: CallableTools,
  source: string,
): FoundCall[] | undefined {
  const calls: FoundCall[] = [];
  for (const item of items) {
    const call = item.kind === "object" ? readCall(item, tools, source) : undefined;
    if (call === undefined) return undefined;
    calls.push(call);
  }
  return calls.length === 0 ? undefined : calls;
}

function readCall(
  { members, span }: Extract<Literal, { kind: "object" }>,
  tools: CallableTools,
  source: string,
): FoundCall | undefined {
  const name = nameOf(members);
  if (name === undefined) return undefined;
  const nested = members.get("function");
  const call = !members.has("name") && nested?.kind === "object" ? nested.members : members;
  const given = argumentsOf(call);
  if (given === undefined) {
    return tools.has(name) && isNameAlone(members) ? found(name, new Map(), tools) : undefined;
  }
  if (isDefinition(call, given)) return undefined;
  const read = readArguments(given);
  if (read !== undefined) return found(name, read, tools);
  if (!tools.has(name)) return undefined;
  const written = span === undefined ? source : source.slice(...span);
  return brokenCall({ name, format: "json" }, "The arguments are not a JSON object", written);
}

function found(name: string, members: Members, tools: CallableTools): FoundCall {
  return { format: "json", name, arguments: tools.arguments(name, members) };
}

function nameOf(members: Members): string | undefined {
  const nested = members.get("function");
  const inner = nested?.kind === "object" ? nested.members.get("name") : nested;
  const name = members.get("name") ?? inner;
  return name?.kind === "string" && name.value !== "" ? name.value : undefined;
}

/** `parameters`, or `arguments` if only these can be read. */
function argumentsOf(members: Members): Literal | undefined {
  const parameters = members.get("parameters");
  const others = members.get("arguments");
  if (parameters === undefined || others === undefined) return parameters ?? others;
  return readArguments(parameters) === undefined ? others : parameters;
}

/** Arguments may come as a string, as in OpenAI's API; `null` and `""` mean none. */
function readArguments(literal: Literal): Members | undefined {
  switch (literal.kind) {
    case "object":
      return literal.members;
    case "string": {
      if (literal.value.trim() === "") return new Map();
      const inner = readLiteral(literal.value);
      return inner?.kind === "object" ? inner.members : undefined;
    }
    default:
      return literal.kind === "scalar" && literal.text === "null" ? new Map() : undefined;
  }
}

function isNameAlone(members: Members): boolean {
  for (const key of members.keys()) {
    if (key !== "name" && key !== "type" && key !== "id") return false;
  }
  return true;
}

function isDefinition(members: Members, given: Literal): boolean {
  if (members.get("description")?.kind !== "string" || given.kind !== "object") return false;
  const type = given.members.get("type");
  return (
    type?.kind === "string" &&
    type.value === "object" &&
    given.members.get("properties")?.kind === "object"
  );
}
