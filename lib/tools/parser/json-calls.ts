import type { CallableTools } from "./callable-tools.js";
import { brokenCall, type FoundCall, type Outcome } from "./found-calls.js";
import type { Literal, Members } from "./literal.js";
import { LiteralReader, readLiteral } from "./literal-reader.js";
import type { OutputFeed, Reading } from "./output-feed.js";

/** What an object may have that is no more than a name. */
const NAME_KEYS: ReadonlySet<string> = new Set(["name", "type", "id"]);

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
export class JsonCalls {
  /** Whether there are no calls in it, whatever follows. */
  isData = false;
  readonly #feed: OutputFeed;
  readonly #tools: CallableTools;
  readonly #reader: LiteralReader;
  readonly #calls: { readonly call: FoundCall; readonly start: number; readonly end: number }[] =
    [];
  /** Where the last item begins, and where what was read of it ends. */
  #start = 0;
  #end = 0;

  /** @param close what closes the bracket that has been read, if any */
  constructor(feed: OutputFeed, tools: CallableTools, close?: string) {
    this.#feed = feed;
    this.#tools = tools;
    this.#reader = new LiteralReader(feed, "json", close);
  }

  *object(): Reading<Outcome> {
    const value = yield* this.#reader.value();
    if (value === undefined) return yield* this.#failed();
    this.#item(value);
    return this.#outcome();
  }

  /** From after the opening bracket and white space. */
  *array(): Reading<Outcome> {
    const feed = this.#feed;
    const reader = this.#reader;
    while (feed.char !== "]") {
      this.#start = feed.length;
      reader.readable = true;
      if (feed.char !== "{" && !feed.over) this.isData = true;
      const value = yield* reader.value();
      if (value === undefined) return yield* this.#failed();
      this.#item(value);
      if ((yield* feed.next()) === ",") {
        feed.skip();
        yield* feed.next();
        this.#end = feed.length;
      } else if (feed.char !== "]") {
        return yield* this.#failed();
      }
    }
    feed.skip();
    this.#end = feed.length;
    return this.#outcome();
  }

  #item(value: Literal): void {
    this.#end = this.#feed.length;
    const call = value instanceof Map ? this.#callOf(value) : undefined;
    if (call === undefined) this.isData = true;
    else this.#add(call);
  }

  #add(call: FoundCall): void {
    this.#calls.push({ call, start: this.#start, end: this.#end });
  }

  #outcome(): Outcome {
    if (this.isData || this.#calls.length === 0) return "value";
    const { text } = this.#feed;
    const calls = this.#calls.map(({ call, start, end }) =>
      call.problem === undefined ? call : { ...call, source: text.slice(start, end) },
    );
    return { calls, length: this.#end };
  }

  /** In an array, the calls before the one that was cut off or is broken count. */
  *#failed(): Reading<Outcome> {
    const { over } = this.#feed;
    if (over && !this.isData && this.#calls.length > 0) return this.#outcome();
    const { members } = this.#reader;
    const name = members === undefined || this.isData ? undefined : nameOf(members);
    if (name === undefined) return over ? "text" : "other";
    if (!this.#tools.has(name) || !(yield* this.#reader.skip())) return "text";
    this.#end = this.#feed.length;
    this.#add(notJson(name));
    return this.#outcome();
  }

  /** The call that an object is. */
  #callOf(members: Members): FoundCall | undefined {
    const tools = this.#tools;
    const name = nameOf(members);
    if (name === undefined) return undefined;
    if (!this.#reader.readable) return tools.has(name) ? notJson(name) : undefined;
    const nested = members.get("function");
    const call = !members.has("name") && nested instanceof Map ? nested : members;
    const given = argumentsOf(call);
    if (given === undefined) {
      const alone = [...members.keys()].every((key) => NAME_KEYS.has(key));
      return alone && tools.has(name) ? found(name, new Map(), tools) : undefined;
    }
    if (isDefinition(call, given)) return undefined;
    const read = readArguments(given);
    if (read !== undefined) return found(name, read, tools);
    if (!tools.has(name)) return undefined;
    return brokenCall({ name, format: "json" }, "The arguments are not a JSON object");
  }
}

function found(name: string, members: Members, tools: CallableTools): FoundCall {
  return { format: "json", name, arguments: tools.arguments(name, members) };
}

function notJson(name: string): FoundCall {
  return brokenCall({ name, format: "json" }, "The call is not valid JSON");
}

function nameOf(members: Members): string | undefined {
  const nested = members.get("function");
  const name = members.get("name") ?? (nested instanceof Map ? nested.get("name") : nested);
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** `parameters`, or `arguments` if only these can be read. */
function argumentsOf(members: Members): Literal | undefined {
  const parameters = members.get("parameters");
  const others = members.get("arguments");
  if (parameters === undefined || others === undefined) return parameters ?? others;
  return readArguments(parameters) === undefined ? others : parameters;
}

/** Arguments may come as a string, as in OpenAI's API; `null` and `""` mean none. */
function readArguments(given: Literal): Members | undefined {
  if (typeof given !== "string") {
    if (given instanceof Map) return given;
    return "json" in given && given.json === "null" ? new Map() : undefined;
  }
  if (given.trim() === "") return new Map();
  const inner = readLiteral(given);
  return inner instanceof Map ? inner : undefined;
}

function isDefinition(members: Members, given: Literal): boolean {
  return (
    typeof members.get("description") === "string" &&
    given instanceof Map &&
    given.get("type") === "object" &&
    given.get("properties") instanceof Map
  );
}
