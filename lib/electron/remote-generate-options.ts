import type { GenerateOptions } from "../generation/generation.js";
import type { GbnfOptions, JsonSchemaOptions } from "../sampling/grammar.js";

/** A grammar as plain data: in GBNF, or of a JSON Schema. The server makes the `Grammar` of it. */
export type RemoteGrammar =
  /** As `Grammar.gbnf(gbnf, options)`. */
  | ({ readonly gbnf: string } & GbnfOptions)
  /** As `Grammar.jsonSchema(schema, options)`. */
  | ({ readonly schema: object } & JsonSchemaOptions);

/**
 * What `generate` takes: as `GenerateOptions`, with the grammar as plain data. A `Sampler` cannot cross a port:
 * its settings are given one by one. Nor can a `LoraAdapter`.
 */
export interface RemoteGenerateOptions
  extends Omit<GenerateOptions, "sampler" | "grammar" | "adapters"> {
  /** Constrained decoding: the output follows this grammar. Default: none. */
  readonly grammar?: RemoteGrammar;
}
