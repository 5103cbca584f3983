import { engine } from "./engine.js";
import { CriaError, fromNative, invalid } from "./errors.js";
import { validateGbnf } from "./gbnf.js";
import { schemaText } from "./json-schema.js";
import { isMarked, mark } from "./marker.js";
import { readOptions, string } from "./options.js";

const KEY = Symbol("Grammar");
const MARKER = Symbol.for("cria.grammar");
const TRIGGERS = Symbol.for("cria.grammar.triggers");
const PREFIX = Symbol.for("cria.grammar.prefix");

export interface GbnfOptions {
  /** The rule that the whole output follows. Default "root". */
  readonly root?: string;
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

let make: (
  source: string,
  root: string,
  tokens: readonly string[],
  more?: { readonly triggers?: GrammarTriggers; readonly prefix?: string },
) => Grammar;

/** Restricts a generation to a formal language. Immutable: one Grammar serves any number of samplers. */
export class Grammar {
  /** In llama.cpp's GBNF notation. */
  readonly source: string;
  /** The name of the start rule. */
  readonly root: string;
  /** Texts of the tokens that it names, as `<think>`; a model that lacks one refuses the grammar. */
  readonly tokens: readonly string[];

  static {
    make = (...args) => new Grammar(KEY, ...args);
  }

  private constructor(
    key: symbol,
    source: string,
    root: string,
    tokens: readonly string[],
    { triggers, prefix }: { readonly triggers?: GrammarTriggers; readonly prefix?: string } = {},
  ) {
    if (key !== KEY) {
      throw invalid("A Grammar is made by Grammar.gbnf(), .jsonSchema() or .json(), not by `new`");
    }
    this.source = source;
    this.root = root;
    this.tokens = Object.freeze(tokens);
    mark(this, MARKER);
    if (triggers !== undefined) Object.defineProperty(this, TRIGGERS, { value: triggers });
    if (prefix !== undefined) Object.defineProperty(this, PREFIX, { value: prefix });
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
    const { root = "root" } = readOptions(options, "options", ["root"]);
    const tokens = validateGbnf(source, string(root, "options.root"));
    return make(source, root, tokens);
  }

  /**
   * JSON that fits a JSON Schema, by llama.cpp's converter. It knows:
   *
   * - `type` (one or a list), `const`, `enum`, `anyOf`, `oneOf` (as `anyOf`), `$ref` within the schema
   *   (`#/…`, recursion too), `allOf` of objects (their properties together) and of enums (what they
   *   share);
   * - objects: `properties`, `required` (which come first, each in the schema's order),
   *   `additionalProperties`: none beside `properties` unless it is given;
   * - arrays: `items`, `prefixItems` (exactly these), `minItems`, `maxItems`;
   * - strings: `minLength`, `maxLength`, `format` (date, time, date-time, uuid) and `pattern`, which
   *   wins over the others;
   * - integers: `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`.
   *
   * **Everything else is ignored**: the bounds of type "number", `multipleOf`, `uniqueItems`,
   * `patternProperties`, `not`, `if`, other formats, keywords beside `$ref` or `anyOf`, upper limits of
   * more than 2,000 items or characters. A `pattern` counts only with `^` and `$` around it and without
   * shorthands (`\d`), lookarounds and anchors inside; any other stands for any string (a warning in the
   * log). It describes the text between the quotes as JSON has it: one that lets a quote, a backslash or
   * a control character through (`.`, `[^x]`) allows what is no JSON.
   *
   * The engine is loaded, a model is not needed.
   *
   * @example
   * const person = Grammar.jsonSchema({
   *   type: "object",
   *   properties: { name: { type: "string", maxLength: 40 }, age: { type: "integer", minimum: 0 } },
   *   required: ["name", "age"],
   * });
   * @throws {CriaError} ERR_INVALID_ARGUMENT (no JSON), ERR_SCHEMA_UNSUPPORTED (what llama.cpp refuses,
   * references to elsewhere, and what would be too large, too deep or misread), and those of
   * `engineInfo()`
   */
  static jsonSchema(schema: object): Grammar {
    const text = schemaText(schema);
    const { addon } = engine();
    let rules: { source: string; root: string };
    try {
      rules = addon.jsonSchemaToGrammar(text);
    } catch (error) {
      throw fromNative(error);
    }
    return make(rules.source, rules.root, tokensOf(rules));
  }

  /**
   * Any JSON value, with little white space: what llama.cpp makes of the schema `{}`.
   *
   * @throws {CriaError} those of `engineInfo()`
   */
  static json(): Grammar {
    return Grammar.jsonSchema({});
  }
}

/** What llama.cpp's converter makes, its grammars need not take. */
function tokensOf({ source, root }: { source: string; root: string }): readonly string[] {
  try {
    return validateGbnf(source, root);
  } catch (cause) {
    if (!CriaError.is(cause)) throw cause;
    throw new CriaError(
      "ERR_SCHEMA_UNSUPPORTED",
      `This JSON Schema cannot be made a grammar: llama.cpp does not take what its converter makes of it. ${cause.message}`,
      { cause, details: { source } },
    );
  }
}

/** Also one of the package's other copy (ESM and CommonJS in one process). */
export function isGrammar(value: unknown): value is Grammar {
  return isMarked(value, MARKER);
}

/** The same grammar, asleep until one of the triggers is met; patterns: see native/core/sampler_step.h. */
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
  return (grammar as { [PREFIX]?: string })[PREFIX];
}

/** Of a grammar that is not lazy, undefined. */
export function triggersOf(grammar: Grammar): GrammarTriggers | undefined {
  return (grammar as { [TRIGGERS]?: GrammarTriggers })[TRIGGERS];
}
