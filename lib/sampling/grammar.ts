import { oneOf, readOptions, string } from "../internal/checks.js";
import { CriaError, invalid } from "../internal/errors.js";
import { optionNames } from "../internal/option-names.js";
import { atOnce, type Steps } from "../internal/steps.js";
import type { WrittenGrammar } from "../schema/gbnf-writer.js";
import type { Expression } from "../schema/grammar-rules.js";
import { WHITE_SPACES, type WhiteSpace } from "../schema/json-layout.js";
import { heldSchema, writtenGrammar } from "../schema/schema-grammar.js";
import { checkWritten, validateGbnf } from "./gbnf/gbnf.js";

const GBNF_OPTIONS = optionNames("Grammar.gbnf", ["root"]);
const SCHEMA_OPTIONS = optionNames("Grammar.jsonSchema", ["whiteSpace", "additionalProperties"]);

const KEY = Symbol("Grammar");

/** What `Grammar.gbnf` takes besides the grammar. */
export interface GbnfOptions {
  /** The rule that the whole output follows. Default "root". */
  readonly root?: string;
}

/** What `Grammar.jsonSchema` takes besides the schema. */
export interface JsonSchemaOptions {
  /**
   * What may stand between the parts of the JSON text: nothing ("none"), a space behind each comma and
   * colon or nothing ("spaces"), or around each part a space, one or two line ends with some indentation,
   * or nothing ("lines"). Default "none".
   */
  readonly whiteSpace?: WhiteSpace;
  /**
   * Whether an object whose schema has `properties`, and says nothing of others, may have others:
   * "allow", as JSON Schema has it, or "forbid". Default "allow".
   */
  readonly additionalProperties?: "allow" | "forbid";
}

/**
 * What wakes a lazy grammar: until then everything is allowed. A token begins the text that follows
 * the grammar; a pattern (std::regex in its ECMAScript notation) is looked for in the whole output so
 * far, and that text begins with its first group that matched something, or with the match.
 */
export interface GrammarTriggers {
  readonly tokens: readonly number[];
  readonly patterns: readonly string[];
}

/** What only cria makes a grammar with. */
interface Extras {
  readonly triggers?: GrammarTriggers;
  readonly prefix?: string;
}

/** Set by the class, whose members they read. */
let make: (source: string, root: string, tokens: readonly string[], extras?: Extras) => Grammar;
let extrasOf: (grammar: Grammar) => Extras;
/** Of any value whatever, a proxy that throws included. */
export let isGrammar: (value: unknown) => value is Grammar;

/** Restricts a generation to a formal language. Immutable: one Grammar serves any number of samplers. */
export class Grammar {
  /** In llama.cpp's GBNF notation. */
  readonly source: string;
  /** The name of the start rule. */
  readonly root: string;
  /** Texts of the tokens that it names, as `<think>`; a model that lacks one refuses the grammar. */
  readonly tokens: readonly string[];
  readonly #extras: Extras;

  static {
    make = (...args) => new Grammar(KEY, ...args);
    extrasOf = (grammar) => grammar.#extras;
    isGrammar = (value): value is Grammar =>
      typeof value === "object" && value !== null && #extras in value;
  }

  private constructor(
    key: symbol,
    source: string,
    root: string,
    tokens: readonly string[],
    extras: Extras = {},
  ) {
    if (key !== KEY) {
      throw invalid("A Grammar is made by Grammar.gbnf(), .jsonSchema() or .json(), not by `new`");
    }
    this.source = source;
    this.root = root;
    this.tokens = Object.freeze(tokens);
    this.#extras = extras;
    Object.freeze(this);
  }

  /**
   * A grammar in llama.cpp's GBNF notation.
   *
   * @example
   * const yesOrNo = Grammar.gbnf('root ::= "yes" | "no"');
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_GRAMMAR_INVALID
   */
  static gbnf(source: string, options?: GbnfOptions): Grammar {
    string(source, "source");
    const { root = "root" } = readOptions(options, "options", GBNF_OPTIONS);
    const tokens = validateGbnf(source, string(root, "options.root"));
    return make(source, root, tokens);
  }

  /**
   * JSON that satisfies a JSON Schema of draft 4 to 2020-12. What follows the grammar to its end parses
   * and is valid, formats included: a schema with something that no grammar can hold is refused, with
   * the place and the reason. docs/structured-output.md has the list.
   *
   * Properties come in the schema's order, those that it does not name behind them.
   *
   * @example
   * const person = Grammar.jsonSchema({
   *   type: "object",
   *   properties: { name: { type: "string", maxLength: 40 }, age: { type: "integer", minimum: 0 } },
   *   required: ["name", "age"],
   * });
   * @throws {CriaError} ERR_INVALID_ARGUMENT (no JSON), ERR_SCHEMA_UNSUPPORTED with `path` in its details
   */
  static jsonSchema(schema: object, options?: JsonSchemaOptions): Grammar {
    const o = readOptions(options, "options", SCHEMA_OPTIONS);
    const { whiteSpace = "none", additionalProperties = "allow" } = o;
    oneOf(whiteSpace, "options.whiteSpace", WHITE_SPACES);
    oneOf(additionalProperties, "options.additionalProperties", ["allow", "forbid"]);
    const closed = additionalProperties === "forbid";
    const { value } = heldSchema(schema, "schema", { whiteSpace, closed });
    return grammarOf(value, "schema");
  }

  /** Any JSON value, with little white space. */
  static json(): Grammar {
    return Grammar.jsonSchema({}, { whiteSpace: "lines" });
  }
}

const grammars = new WeakMap<Expression, Grammar>();

/** What was made of schemas, each grammar once; `name` is what they are known by. */
export function grammarOf(value: Expression, name: string): Grammar {
  return atOnce(grammarSteps(value, name));
}

/** The same in steps: a large one takes some milliseconds to write, and as many to check. */
export function* grammarSteps(value: Expression, name: string): Steps<Grammar> {
  const known = grammars.get(value);
  if (known !== undefined) return known;
  const written = writtenGrammar(value, name);
  yield;
  const grammar = ofWritten(written, name);
  grammars.set(value, grammar);
  return grammar;
}

function ofWritten(written: WrittenGrammar, name: string): Grammar {
  const { source } = written;
  try {
    checkWritten(written);
    return make(source, "root", []);
  } catch (cause) {
    if (!CriaError.is(cause)) throw cause;
    throw new CriaError(
      "ERR_SCHEMA_UNSUPPORTED",
      `\`${name}\`: llama.cpp does not take the grammar of this JSON Schema. ${cause.message}`,
      { cause, details: { name, source, path: "#" } },
    );
  }
}

/**
 * The same grammar, asleep until one of the triggers is met; patterns: see
 * native/core/sampling/sampler_step.h.
 */
export function lazyGrammar(grammar: Grammar, { tokens, patterns }: GrammarTriggers): Grammar {
  const triggers = {
    tokens: Object.freeze([...tokens]),
    patterns: Object.freeze([...patterns]),
  };
  return make(grammar.source, grammar.root, grammar.tokens, { triggers: Object.freeze(triggers) });
}

/** The same grammar for an output behind a text that the grammar begins with. */
export function behind(prefix: string, { source, root, tokens }: Grammar): Grammar {
  return make(source, root, tokens, { prefix });
}

/** Of a grammar that begins with the output, undefined. */
export function prefixOf(grammar: Grammar): string | undefined {
  return extrasOf(grammar).prefix;
}

/** Of a grammar that is not lazy, undefined. */
export function triggersOf(grammar: Grammar): GrammarTriggers | undefined {
  return extrasOf(grammar).triggers;
}
