import { isPlainObject } from "../../internal/checks.js";
import type { ParsedToolCall, ToolDefinition } from "../../messages/tool-types.js";
import { coerceMembers, type Schema } from "./coerce-arguments.js";
import { type Members, membersToJson } from "./literal-reader.js";

/** A call before it has its id. */
export interface FoundCall {
  readonly format: ParsedToolCall["format"];
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
  readonly problem?: string;
  readonly source?: string;
}

/** Built-in tools that are called as `NAME.call(query="…")`, with or without a visible tag before. */
const BUILTIN_TOOLS = ["brave_search", "wolfram_alpha"] as const;
const BUILTIN_PROPERTIES = ["query"] as const;

/** The tool that a name before "(" calls. */
export interface Callable {
  readonly name: string;
  readonly format: "pythonic" | "builtin";
}

export interface CallableToolsOptions {
  readonly tools: readonly ToolDefinition[];
  readonly builtinTools: readonly string[];
  readonly coerce: boolean;
  readonly onlyGiven?: boolean;
}

/** What the parser knows of the tools. Without any, every name counts as known. */
export class CallableTools {
  readonly given: boolean;
  readonly #coerce: boolean;
  readonly #onlyGiven: boolean;
  readonly #tools = new Map<string, object | undefined>();
  readonly #builtins: ReadonlySet<string>;
  readonly #schemas = new Map<string, Schema | undefined>();
  readonly #callables = new Map<string, Callable>();
  /** The names that may stand without brackets, by their first character. */
  readonly #starts = new Map<number, string[]>();

  constructor({ tools, builtinTools, coerce, onlyGiven = false }: CallableToolsOptions) {
    this.given = tools.length > 0;
    this.#coerce = coerce;
    this.#onlyGiven = onlyGiven;
    this.#builtins = new Set(builtinTools);
    for (const { function: described } of tools) {
      this.#tools.set(described.name, described.parameters);
      this.#callable(described.name, { name: described.name, format: "pythonic" });
    }
    for (const name of [...BUILTIN_TOOLS, ...builtinTools, ...this.#tools.keys()]) {
      this.#callable(`${name}.call`, { name, format: "builtin" });
    }
  }

  #callable(text: string, callable: Callable): void {
    if (this.#callables.has(text)) return;
    this.#callables.set(text, callable);
    const code = text.charCodeAt(0);
    const others = this.#starts.get(code);
    if (others === undefined) this.#starts.set(code, [text]);
    else others.push(text);
  }

  /** Whether exactly this tool was given. */
  has(name: string): boolean {
    return this.#tools.has(name) || this.#builtins.has(name);
  }

  known(name: string): boolean {
    return !this.given || this.has(name);
  }

  /** Whether these are calls, or text that looks like some. */
  count(calls: readonly FoundCall[]): boolean {
    return !this.#onlyGiven || calls.every(({ name }) => this.has(name));
  }

  /** The tool that `text` calls before "(", without brackets around: a given one, or a built-in's `.call`. */
  callable(text: string): Callable | undefined {
    return this.#callables.get(text);
  }

  /** All names that may stand without brackets and begin with this character. */
  startingWith(code: number): readonly string[] | undefined {
    return this.#starts.get(code);
  }

  /** The names for positional arguments, in order; undefined if they are not known. */
  properties({ name, format }: Callable): readonly string[] | undefined {
    const properties = this.#schema(name)?.properties;
    if (isPlainObject(properties)) return Object.keys(properties);
    return format === "builtin" ? BUILTIN_PROPERTIES : undefined;
  }

  /** JSON text of a call's arguments. */
  arguments(name: string, members: Members): string {
    return membersToJson(this.#coerce ? coerceMembers(members, this.#schema(name)) : members);
  }

  /** A copy, so that a schema's getters cannot disturb the parser. */
  #schema(name: string): Schema | undefined {
    if (!this.#schemas.has(name)) {
      let copy: unknown;
      try {
        copy = JSON.parse(JSON.stringify(this.#tools.get(name) ?? null));
      } catch {
        // A schema that is no JSON says nothing.
      }
      this.#schemas.set(name, isPlainObject(copy) ? copy : undefined);
    }
    return this.#schemas.get(name);
  }
}

/** A call that must not be carried out, with the text that the model wrote. */
export function brokenCall(
  { name, format }: Pick<FoundCall, "name" | "format">,
  problem: string,
  source: string,
): FoundCall {
  return { format, name, arguments: "{}", problem, source };
}
