import { type KnownFields, RequestFields } from "../batch/input/request-fields.js";
import type { CompletionPlan } from "../batch/input/request-plans.js";
import type { GenerationResult } from "../generation/generation.js";
import { boolean, integer, string } from "../internal/checks.js";
import { CriaError, invalid } from "../internal/errors.js";

/** What a completion's body asks for that a batch has not. */
export interface CompletionExtras {
  /** The prompt goes in front of the answer. */
  readonly echo: boolean;
  /** What stands behind the answer: it is written for the place between. */
  readonly suffix: string | undefined;
  /** So many are generated, and the likeliest told. */
  readonly bestOf: number | undefined;
}

const FIELDS: KnownFields = { read: ["echo", "suffix", "best_of"], ignored: [], refused: {} };
/** As of OpenAI's API. */
const BEST_OF_MAX = 20;

/** @throws {CriaError} ERR_INVALID_ARGUMENT */
export function readCompletionExtras(body: Record<string, unknown>): {
  readonly extras: CompletionExtras;
  readonly rest: Record<string, unknown>;
} {
  const split = (wanted: boolean) =>
    Object.fromEntries(
      Object.entries(body).filter(([key]) => FIELDS.read.includes(key) === wanted),
    );
  const fields = new RequestFields(split(true), "body", FIELDS);
  const suffix = fields.get("suffix", string);
  const extras = {
    echo: fields.get("echo", boolean) ?? false,
    suffix: suffix === "" ? undefined : suffix,
    bestOf: fields.get("best_of", (value, name) => integer(value, name, 1, BEST_OF_MAX)),
  };
  return { extras, rest: split(false) };
}

/**
 * The plan that is generated.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED where these fields do not go with the others
 */
export function withExtras(
  plan: CompletionPlan,
  { echo, suffix, bestOf = plan.choices }: CompletionExtras,
  stream: boolean,
): CompletionPlan {
  if (bestOf < plan.choices) {
    throw invalid(`\`body.best_of\` (${bestOf}) cannot be less than \`body.n\` (${plan.choices})`, {
      name: "body.best_of",
    });
  }
  if (bestOf > plan.choices && stream) {
    throw invalid("`body.best_of` is known when all is generated: leave out `body.stream`", {
      name: "body.best_of",
    });
  }
  if (echo && plan.logprobs !== undefined) {
    throw unsupported("body.echo", "goes without `body.logprobs`: a prompt's are not told");
  }
  if (suffix !== undefined && (echo || plan.prompts.some((one) => typeof one !== "string"))) {
    throw unsupported("body.suffix", "goes with prompts that are text, and without `body.echo`");
  }
  if (bestOf === plan.choices) return plan;
  return { ...plan, choices: bestOf, logprobs: plan.logprobs ?? 0 };
}

function unsupported(name: string, why: string): CriaError {
  return new CriaError("ERR_UNSUPPORTED", `\`${name}\` ${why}`, { details: { name } });
}

/** Of each prompt's results those with the likeliest tokens, the likeliest first. */
export function bestResults(
  results: readonly GenerationResult[],
  { prompts, kept, told }: { prompts: number; kept: number; told: boolean },
): GenerationResult[] {
  const each = results.length / prompts;
  if (each === kept) return [...results];
  return Array.from({ length: prompts }, (_, prompt) =>
    results
      .slice(prompt * each, (prompt + 1) * each)
      .map((result) => ({ result, likelihood: likelihoodOf(result) }))
      .sort((one, other) => other.likelihood - one.likelihood)
      .slice(0, kept)
      .map(({ result }) => (told ? result : withoutLogprobs(result))),
  ).flat();
}

/** The mean of the tokens' log-probabilities: a longer answer is not a worse one. */
function likelihoodOf({ logprobs = [] }: GenerationResult): number {
  if (logprobs.length === 0) return Number.NEGATIVE_INFINITY;
  return logprobs.reduce((sum, { logprob }) => sum + logprob, 0) / logprobs.length;
}

function withoutLogprobs({ logprobs: _, ...result }: GenerationResult): GenerationResult {
  return result;
}
