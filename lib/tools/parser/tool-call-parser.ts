import {
  boolean,
  callback,
  guarded,
  isPlainObject,
  list,
  readOptions,
} from "../../internal/checks.js";
import { expected, invalid } from "../../internal/errors.js";
import { given } from "../../internal/given.js";
import { isObject } from "../../internal/json-text.js";
import { optionNames } from "../../internal/option-names.js";
import type {
  FinishToolParserOptions,
  ParsedToolCall,
  ParsedToolCalls,
  ParseToolCallsOptions,
  ToolDefinition,
  ToolParserEvent,
} from "../../messages/tool-types.js";
import { CallableTools } from "./callable-tools.js";
import type { FoundCall } from "./found-calls.js";
import type { Piece } from "./ledger.js";
import { OutputSplitter } from "./output-splitter.js";

const PARSER_OPTIONS = optionNames(
  ["parseToolCalls", "ToolCallParser"],
  ["tools", "builtinTools", "coerce", "onlyGiven", "createId"],
);
const FINISH_OPTIONS = optionNames("parser.finish", ["cutOff"]);

/**
 * Content and tool calls in the output of a model of the Llama 3 family. Never throws on any text,
 * never evaluates anything, and takes time linear in the length of the text.
 *
 * Calls are found in every form these models are known to write them:
 *
 * - JSON, `{"name": …, "parameters": {…}}` or `arguments`, or the same as a Python dict; several
 *   behind each other or in an array;
 * - `<function=NAME>{…}</function>`;
 * - Python, `[f(a=1), g()]`, or bare where the tool was given; `[]` alone is text, since it may as well
 *   be the answer that was asked for;
 * - `brave_search.call(query="…")` and `wolfram_alpha.call(query="…")`;
 * - code, behind `<|python_tag|>`: anything that is neither one of these nor JSON alone on its line.
 *   It is a call of `code_interpreter` with `code`.
 *
 * JSON and function tags count anywhere in prose; Python calls at the start, on a new line, behind
 * another call or first in a fence. In inline code, and in a fence that begins with anything but a
 * call, nothing counts: that is quoted.
 *
 * Everything else is content, verbatim. With a call disappear only the white space directly before it;
 * the white space behind it, unless content stands on both sides; one ";" or "," between two calls or
 * at the end; `</function>` behind it; and a fence around nothing but calls. Control tokens that show in
 * the text (`special`) are syntax: `<|python_tag|>` anywhere but in quotations, those that end a message
 * where a call or the end follows.
 *
 * A call that was cut off is text, while those that are complete before it in an array or a list count.
 * One whose arguments cannot be read is a call with a `problem` and its `source` where the name is a given
 * tool's or the form leaves no doubt, so that the model can be told; it must not be carried out.
 *
 * @example
 * const { content, toolCalls } = parseToolCalls(text, { tools });
 * @throws {CriaError} ERR_INVALID_ARGUMENT for the arguments, never for what the text says
 */
export function parseToolCalls(text: string, options?: ParseToolCallsOptions): ParsedToolCalls {
  const parser = new ToolCallParser(options);
  const content: string[] = [];
  const toolCalls: ParsedToolCall[] = [];
  for (const event of [...parser.push(text), ...parser.finish()]) {
    if (event.type === "text") content.push(event.text);
    else toolCalls.push(event.call);
  }
  return { content: content.join(""), toolCalls };
}

/**
 * `parseToolCalls` for output that arrives in pieces of any size; however it is cut, content and calls
 * are the same. Prose is passed on at once, but for white space and what may become a call.
 *
 * @example
 * const parser = new ToolCallParser({ tools });
 * for await (const { text } of generation) handle(parser.push(text));
 * handle(parser.finish());
 */
export class ToolCallParser {
  readonly #tools: CallableTools;
  readonly #splitter: OutputSplitter;
  readonly #createId: (index: number) => string;
  #calls = 0;
  #finished = false;

  /**
   * A parser of one output.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  constructor(options?: ParseToolCallsOptions) {
    const given = readOptions(options, "options", PARSER_OPTIONS);
    this.#tools = new CallableTools({
      tools: given.tools === undefined ? [] : list(given.tools, "tools", "an array", readTool),
      builtinTools:
        given.builtinTools === undefined
          ? []
          : list(given.builtinTools, "builtinTools", "an array", readName),
      coerce: given.coerce === undefined ? false : boolean(given.coerce, "coerce"),
      onlyGiven: given.onlyGiven === undefined ? false : boolean(given.onlyGiven, "onlyGiven"),
    });
    this.#splitter = new OutputSplitter(this.#tools);
    this.#createId =
      given.createId === undefined
        ? (index) => `call_${index}`
        : callback(given.createId, "createId");
  }

  /**
   * What has become certain with this piece of the output.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, also behind `finish`
   */
  push(text: string): ToolParserEvent[] {
    if (typeof text !== "string") throw expected("a string", "text", text);
    if (this.#finished) throw invalid("This parser has finished; each output needs one of its own");
    return this.#events(this.#splitter.push(text));
  }

  /**
   * The rest, once the output has ended.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT
   */
  finish(options?: FinishToolParserOptions): ToolParserEvent[] {
    const { cutOff = false } = readOptions(options, "options", FINISH_OPTIONS);
    boolean(cutOff, "cutOff");
    if (this.#finished) return [];
    this.#finished = true;
    return this.#events(this.#splitter.finish(cutOff));
  }

  #events(pieces: readonly Piece[]): ToolParserEvent[] {
    const events: ToolParserEvent[] = [];
    let text: string[] = [];
    const flush = () => {
      if (text.length > 0) events.push({ type: "text", text: text.join("") });
      text = [];
    };
    for (const piece of pieces) {
      if (piece.kind === "text") text.push(piece.source);
      if (piece.kind !== "calls") continue;
      flush();
      for (const call of piece.calls) events.push({ type: "tool-call", call: this.#call(call) });
    }
    flush();
    return events;
  }

  #call({ format, name, arguments: text, problem, source }: FoundCall): ParsedToolCall {
    return {
      id: this.#createId(this.#calls++),
      type: "function",
      function: { name, arguments: text },
      format,
      known: this.#tools.known(name),
      ...given({ problem, source }),
    };
  }
}

/** Only what the parser reads, each property once. */
function readTool(value: unknown, name: string): ToolDefinition {
  if (typeof value !== "object" || value === null) throw expected("a tool", name, value);
  return guarded(value, name, () => {
    const { function: described } = value as { function?: unknown };
    if (!isObject(described)) throw expected("an object", `${name}.function`, described);
    const { name: toolName, parameters } = described;
    const read = readName(toolName, `${name}.function.name`);
    if (parameters === undefined || parameters === null) {
      return { type: "function", function: { name: read } };
    }
    if (isPlainObject(parameters)) {
      return { type: "function", function: { name: read, parameters } };
    }
    throw expected("a JSON Schema object", `${name}.function.parameters`, parameters);
  });
}

function readName(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw expected("a name", name, value);
}
