import { type KnownFields, object, RequestFields } from "../batch/input/request-fields.js";
import { boolean, integer, MAX_INT32, number, string } from "../internal/checks.js";
import { invalid } from "../internal/errors.js";
import { given } from "../internal/given.js";
import { Grammar } from "../sampling/grammar.js";
import type { SamplerOptions } from "../sampling/sampler.js";

/** What a body says besides its plan: whether the answer is streamed, and llama-server's own fields. */
export interface StreamedBody {
  /** The body without those fields. */
  readonly rest: Record<string, unknown>;
  readonly stream: boolean;
  /** Whether the last event of a stream tells the usage. */
  readonly usage: boolean;
  /** Goes before the plan's own. */
  readonly sampling: SamplerOptions;
}

const STREAM_OPTIONS: KnownFields = {
  read: ["include_usage"],
  ignored: ["include_obfuscation"], // against readers of encrypted lengths: nothing is padded here
  refused: {},
};

const FIELDS = [
  "stream",
  "stream_options",
  "top_k",
  "min_p",
  "typical_p",
  "repeat_penalty",
  "grammar",
];
/** Of llama-server's variables for templates those that have a word in the library: how much the model thinks. */
const TEMPLATE_VARIABLES: KnownFields = {
  read: ["enable_thinking", "reasoning_effort"],
  ignored: [],
  refused: {},
};

/**
 * A chat's body with `reasoning_effort` in place of llama-server's `chat_template_kwargs`. What the body itself says
 * goes before it.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT for other variables
 */
export function withTemplateVariables({
  chat_template_kwargs: given,
  ...body
}: Record<string, unknown>): Record<string, unknown> {
  if (given === undefined || given === null) return body;
  const fields = new RequestFields(given, "body.chat_template_kwargs", TEMPLATE_VARIABLES);
  const thinks = fields.get("enable_thinking", boolean);
  const effort =
    thinks === false ? "none" : (fields.get("reasoning_effort", string) ?? (thinks && "medium"));
  return effort === undefined ? body : { reasoning_effort: effort, ...body };
}

/** They say how llama-server works, not what it answers. */
const IGNORED = ["cache_prompt", "timings_per_token", "return_progress"];

export function readStreamedBody(body: Record<string, unknown>): StreamedBody {
  const own = [...FIELDS, ...IGNORED];
  const split = (wanted: boolean) =>
    Object.fromEntries(Object.entries(body).filter(([key]) => own.includes(key) === wanted));
  const fields = new RequestFields(split(true), "body", {
    read: FIELDS,
    ignored: IGNORED,
    refused: {},
  });
  const stream = fields.get("stream", boolean) ?? false;
  const usage = fields.get("stream_options", (value, name) => {
    if (!stream) throw invalid(`\`${name}\` needs \`body.stream\` to be true`, { name });
    const options = new RequestFields(object(value, name), name, STREAM_OPTIONS);
    return options.get("include_usage", boolean);
  });
  return { rest: split(false), stream, usage: usage ?? false, sampling: samplingOf(fields) };
}

function samplingOf(fields: RequestFields): SamplerOptions {
  const share = (value: unknown, name: string) => number(value, name, 0, 1);
  const grammar = fields.get("grammar", string);
  const repeat = fields.get("repeat_penalty", (value, name) => number(value, name, 0.01, 100));
  return given({
    topK: fields.get("top_k", (value, name) => integer(value, name, 0, MAX_INT32)),
    minP: fields.get("min_p", share),
    typicalP: fields.get("typical_p", share),
    grammar: grammar === undefined ? undefined : Grammar.gbnf(grammar),
    penalties: repeat === undefined ? undefined : { repeat },
  });
}

/** The plan with these settings before its own. */
export function withSampling<P extends { readonly sampling: SamplerOptions }>(
  plan: P,
  sampling: SamplerOptions,
): P {
  const { penalties = {} } = plan.sampling;
  const merged = sampling.penalties && { penalties: { ...penalties, ...sampling.penalties } };
  return { ...plan, sampling: { ...plan.sampling, ...sampling, ...merged } };
}
