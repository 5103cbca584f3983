import { invalid } from "./errors.js";
import { validateGbnf } from "./gbnf.js";
import { isMarked, mark } from "./marker.js";
import { readOptions, string } from "./options.js";

const KEY = Symbol("Grammar");
const MARKER = Symbol.for("cria.grammar");

export interface GbnfOptions {
  /** The rule that the whole output follows. Default "root". */
  readonly root?: string;
}

/** Restricts a generation to a formal language. Immutable: one Grammar serves any number of samplers. */
export class Grammar {
  /** In llama.cpp's GBNF notation. */
  readonly source: string;
  /** The name of the start rule. */
  readonly root: string;
  /** Texts of the tokens that it names, as `<think>`; a model that lacks one refuses the grammar. */
  readonly tokens: readonly string[];

  private constructor(key: symbol, source: string, root: string, tokens: readonly string[]) {
    if (key !== KEY) throw invalid("A Grammar is made by Grammar.gbnf(), not by `new`");
    this.source = source;
    this.root = root;
    this.tokens = Object.freeze(tokens);
    mark(this, MARKER);
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
    return new Grammar(KEY, source, root, tokens);
  }
}

/** Also one of the package's other copy (ESM and CommonJS in one process). */
export function isGrammar(value: unknown): value is Grammar {
  return isMarked(value, MARKER);
}
