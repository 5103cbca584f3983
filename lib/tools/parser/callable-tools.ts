import { isPlainObject } from "../../internal/checks.js";
import type { ToolDefinition } from "../../messages/tool-types.js";
import { coerceMembers, type Schema } from "./coerce-arguments.js";
import type { FoundCall } from "./found-calls.js";
import { type Members, toJson } from "./literal.js";

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
  /** By their name and the "(" behind it, so that none begins another. */
  readonly #callables = new Map<string, Callable>();
  /** What calls of tools without brackets around begin with. */
  readonly openings: readonly string[];

  constructor({ tools, builtinTools, coerce, onlyGiven = false }: CallableToolsOptions) {
    this.given = tools.length > 0;
    this.#coerce = coerce;
    this.#onlyGiven = onlyGiven;
    this.#builtins = new Set(builtinTools);
    for (const { function: described } of tools) {
      this.#tools.set(described.name, described.parameters);
      this.#callables.set(`${described.name}(`, { name: described.name, format: "pythonic" });
    }
    for (const name of [...BUILTIN_TOOLS, ...builtinTools, ...this.#tools.keys()]) {
      const opening = `${name}.call(`;
      if (!this.#callables.has(opening)) this.#callables.set(opening, { name, format: "builtin" });
    }
    this.openings = [...this.#callables.keys()];
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

  /** The tool that is called so, without brackets around: a given one, or a built-in's `.call`. */
  callable(opening: string): Callable | undefined {
    return this.#callables.get(opening);
  }

  /** Whether one of `openings` begins with this character. */
  mayBegin(char: string): boolean {
    return this.openings.some((opening) => opening[0] === char);
  }

  /** The names for positional arguments, in order; undefined if they are not known. */
  properties({ name, format }: Callable): readonly string[] | undefined {
    const properties = this.#schema(name)?.properties;
    if (isPlainObject(properties)) return Object.keys(properties);
    return format === "builtin" ? BUILTIN_PROPERTIES : undefined;
  }

  /** JSON text of a call's arguments. */
  arguments(name: string, members: Members): string {
    return toJson(this.#coerce ? coerceMembers(members, this.#schema(name)) : members);
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
