import { isPlainObject } from "../../internal/checks.js";
import type { ParsedToolCall, ToolDefinition } from "../../messages/tool-types.js";
import { coerceMembers, type Schema } from "./coerce.js";
import { type Members, membersToJson } from "./literal.js";

/** A call before it has its id. */
export interface FoundCall {
  readonly format: ParsedToolCall["format"];
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
  readonly problem?: string;
  readonly source?: string;
}

/** Called as `NAME.call(query="…")`, whether or not the tag before them can be seen. */
const BUILTIN_TOOLS = ["brave_search", "wolfram_alpha"] as const;
const BUILTIN_PROPERTIES = ["query"] as const;

/** What a name before "(" calls. */
export interface Callable {
  readonly name: string;
  readonly format: "pythonic" | "builtin";
}

export interface CallableToolsOptions {
  readonly tools: readonly ToolDefinition[];
  readonly builtinTools: readonly string[];
  readonly coerce: boolean;
}

/** What the parser knows of the tools; none given means that no name is strange. */
export class CallableTools {
  readonly given: boolean;
  readonly #coerce: boolean;
  readonly #tools = new Map<string, object | undefined>();
  readonly #builtins: ReadonlySet<string>;
  readonly #schemas = new Map<string, Schema | undefined>();
  readonly #callables = new Map<string, Callable>();
  /** Names that may stand bare, by their first character. */
  readonly #starts = new Map<number, string[]>();

  constructor({ tools, builtinTools, coerce }: CallableToolsOptions) {
    this.given = tools.length > 0;
    this.#coerce = coerce;
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

  /** What `text` calls where it stands bare before "(": a given tool, or a built-in one's `.call`. */
  callable(text: string): Callable | undefined {
    return this.#callables.get(text);
  }

  /** Everything that may be called bare and begins with this character. */
  startingWith(code: number): readonly string[] | undefined {
    return this.#starts.get(code);
  }

  /** The names for positional arguments, in order; undefined where nothing tells them. */
  properties({ name, format }: Callable): readonly string[] | undefined {
    const properties = this.#schema(name)?.properties;
    if (isPlainObject(properties)) return Object.keys(properties);
    return format === "builtin" ? BUILTIN_PROPERTIES : undefined;
  }

  /** JSON text of a call's arguments. */
  arguments(name: string, members: Members): string {
    return membersToJson(this.#coerce ? coerceMembers(members, this.#schema(name)) : members);
  }

  /** An own copy, so that what a schema's getters do cannot disturb the parser. */
  #schema(name: string): Schema | undefined {
    if (!this.#schemas.has(name)) {
      let copy: unknown;
      try {
        copy = JSON.parse(JSON.stringify(this.#tools.get(name) ?? null));
      } catch {
        // A schema that is no JSON tells nothing.
      }
      this.#schemas.set(name, isPlainObject(copy) ? copy : undefined);
    }
    return this.#schemas.get(name);
  }
}

/** A call that must not be carried out, with what the model wrote. */
export function brokenCall(
  { name, format }: Pick<FoundCall, "name" | "format">,
  problem: string,
  source: string,
): FoundCall {
  return { format, name, arguments: "{}", problem, source };
}
