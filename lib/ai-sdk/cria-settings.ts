import type { ChatTurnOptions } from "../chat/session-options.js";
import { readOptions } from "../internal/checks.js";
import { optionNames } from "../internal/option-names.js";
import { Grammar } from "../sampling/grammar.js";
import { SAMPLER_OPTIONS } from "../sampling/sampler-options.js";

/** Settings of a `ChatSession`: those for which the AI SDK has no names, and what holds where a call does not say. */
const OWN = [
  ...(["sampler", "maxTokens", "cachePrompt", "onProgress", "reasoning"] as const),
  ...(["guard", "adapters"] as const),
  ...(["constrainTools", "parallelToolCalls", "toolFallback", "toolsInUserMessage"] as const),
  ...(["format", "chatTemplate", "templateVariables", "date"] as const),
];

type Own = (typeof OWN)[number];

/**
 * What `createCria` takes for all calls, and `providerOptions.cria` for one, in the words of `ChatSession`. One
 * call's go before, one by one.
 */
export interface CriaSettings extends Pick<ChatTurnOptions, Own | SamplerOption> {
  /** Constrained decoding: the answer follows this grammar, given as one or in GBNF notation. Default: none. */
  readonly grammar?: Grammar | string;
}

type SamplerOption = Exclude<(typeof SAMPLER_OPTIONS)[number], "grammar">;

const NAMES: readonly (keyof CriaSettings)[] = [
  ...optionNames(["createCria", "providerOptions.cria"], OWN),
  ...SAMPLER_OPTIONS,
];

/** Checked by name, as a session takes them; it checks the values. */
export function readSettings(given: CriaSettings | undefined, name: string): ChatTurnOptions {
  const { grammar, ...settings } = readOptions(given, name, NAMES);
  if (grammar === undefined) return settings;
  return { ...settings, grammar: typeof grammar === "string" ? Grammar.gbnf(grammar) : grammar };
}
