import type { Asked } from "../batch/engine/whole-answers.js";
import { generateAll, readAll } from "../batch/engine/whole-answers.js";
import { readCompletionBody } from "../batch/input/openai-body.js";
import { object, RequestFields } from "../batch/input/request-fields.js";
import { chatLogprob } from "../batch/output/answer-bodies.js";
import type { Generation, GenerationResult } from "../generation/generation.js";
import type { InfillFile, InfillInput } from "../generation/infill.js";
import type { TokenLogprobs } from "../generation/logprobs.js";
import { isPlainObject, list, string } from "../internal/checks.js";
import { expected } from "../internal/errors.js";
import { given } from "../internal/given.js";
import type { StopReason } from "../internal/native.js";
import { newSeed } from "./answer-head.js";
import { timingsOf } from "./answer-timings.js";
import type { EventStream } from "./event-stream.js";
import type { Exchange } from "./exchange.js";
import type { ServedHost } from "./served-host.js";
import { readStreamedBody, withSampling } from "./streamed-body.js";

/** What llama-server calls them, and what they are in a body of OpenAI's. */
const RENAMED: Readonly<Record<string, string>> = { n_predict: "max_tokens", n_probs: "logprobs" };
/** They say how llama-server works, in what it answers too much, or when it gives up. */
const IGNORED = [
  ...["id_slot", "n_keep", "n_indent", "samplers", "min_keep", "return_tokens", "response_fields"],
  ...["t_max_prompt_ms", "t_max_predict_ms"],
];
const OWN = ["prompt", "json_schema", "input_prefix", "input_suffix", "input_extra"];

/** A body of llama-server's in OpenAI's words, and what has none in them. */
function readLocalBody(body: Record<string, unknown>) {
  const rest: Record<string, unknown> = {};
  const own: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(body)) {
    if (IGNORED.includes(key)) continue;
    if (OWN.includes(key)) own[key] = value;
    else if ((key === "n_predict" || key === "seed") && value === -1)
      continue; // as without it
    else if (key === "n_probs" && value === 0) continue;
    else if (key === "logit_bias" && Array.isArray(value)) rest[key] = biasesOf(value);
    else rest[RENAMED[key] ?? key] = value;
  }
  const fields = new RequestFields(own, "body", { read: OWN, ignored: [], refused: {} });
  return { rest, fields, schema: fields.get("json_schema", object) };
}

/** Pairs of a token and its bias; false: never. */
function biasesOf(pairs: readonly unknown[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map((pair, index) => {
      const [token, bias] = Array.isArray(pair) ? (pair as unknown[]) : [];
      if (typeof token !== "number") {
        throw expected("a pair of a token and its bias", `body.logit_bias[${index}]`, pair);
      }
      return [String(token), bias === false ? -100 : bias];
    }),
  );
}

/** POST /completion, as llama-server has it. */
export async function answerLocalCompletion(exchange: Exchange, host: ServedHost): Promise<void> {
  const { rest, fields, schema } = readLocalBody(await exchange.json());
  const prompt = fields.needed("prompt", "a prompt", (value) => value);
  await answer(exchange, host, { rest: { ...rest, prompt }, schema });
}

/** POST /infill, as llama-server has it. */
export async function answerInfill(exchange: Exchange, host: ServedHost): Promise<void> {
  const { rest, fields } = readLocalBody(await exchange.json());
  const suffix = fields.get("input_suffix", string) ?? "";
  const files = fields.get("input_extra", (value, name) =>
    list(value, name, "an array of files", fileOf),
  );
  // What it calls the prompt stands behind the mark of the middle: it is the end of what is before.
  const prefix = (fields.get("input_prefix", string) ?? "") + (fields.get("prompt", string) ?? "");
  const behind = { suffix, ...given({ files }) };
  await answer(exchange, host, { rest: { ...rest, prompt: prefix }, schema: undefined, behind });
}

function fileOf(value: unknown, name: string): InfillFile {
  if (!isPlainObject(value)) throw expected("an object with a `text`,", name, value);
  const { filename = "filename", text } = value;
  return { path: string(filename, `${name}.filename`), text: string(text, `${name}.text`) };
}

interface LocalRequest {
  readonly rest: Record<string, unknown>;
  readonly schema: object | undefined;
  readonly behind?: Omit<InfillInput, "prefix">;
}

async function answer(
  exchange: Exchange,
  host: ServedHost,
  { rest, schema, behind }: LocalRequest,
): Promise<void> {
  const body = readStreamedBody(rest);
  const plan = { ...withSampling(readCompletionBody(body.rest), body.sampling), schema };
  const hosted = host.named(plan.model);
  exchange.model = hosted.name;
  const { signal } = exchange;
  const events = body.stream ? exchange.events() : undefined;
  await hosted.use(plan.choices * plan.prompts.length, signal, async (weights) => {
    const { prompts, options } = await weights.maker.completion(plan, newSeed());
    const asked: Asked[] = prompts.flatMap((prompt) =>
      options.map((option) => ({ prompt, options: option, ...given({ behind }) })),
    );
    const context = await weights.context("generation");
    const results = events
      ? await readAll(context, asked, {
          signal,
          read: (generation, index) => tell(generation, { index, events, model: hosted.name }),
        })
      : await generateAll(context, asked, { signal });
    for (const { usage } of results) host.metrics.countTokens(hosted.name, usage);
    if (events !== undefined) return events.end();
    const answers = results.map((result, index) => ({
      ...endOf(result, { index, model: hosted.name }),
      content: result.text,
      tokens: Array.from(result.tokens),
    }));
    exchange.sendJson(answers.length === 1 ? (answers[0] as object) : answers);
  });
}

async function tell(
  generation: Generation,
  { index, events, model }: { index: number; events: EventStream; model: string },
): Promise<GenerationResult> {
  for await (const { text, tokens, logprobs } of generation) {
    await events.send({
      ...{ index, content: text, tokens: Array.from(tokens), stop: false },
      ...(logprobs && { completion_probabilities: logprobs.map(localLogprob) }),
    });
  }
  const result = await generation.result();
  // What was told is not told again.
  const { completion_probabilities: _, ...end } = endOf(result, { index, model });
  await events.send({ ...end, content: "", tokens: [] });
  return result;
}

function endOf(result: GenerationResult, { index, model }: { index: number; model: string }) {
  const { usage, stopReason, stopString, logprobs } = result;
  return {
    ...{ index, model, stop: true },
    stop_type: STOP_TYPES[stopReason] ?? "eos",
    stopping_word: stopString ?? "",
    tokens_predicted: usage.completionTokens,
    tokens_evaluated: usage.promptTokens,
    tokens_cached: usage.cachedTokens,
    truncated: stopReason === "context-full",
    timings: timingsOf([result]),
    completion_probabilities: logprobs?.map(localLogprob),
  };
}

/** As OpenAI's API tells it, with the token's id besides. */
function localLogprob(one: TokenLogprobs) {
  const { top_logprobs, ...chosen } = chatLogprob(one);
  return {
    ...{ id: one.token, ...chosen },
    top_logprobs: top_logprobs.map((each, index) => ({ id: one.top[index]?.token, ...each })),
  };
}

/** All others are ends that the model has made. */
const STOP_TYPES: Partial<Record<StopReason, string>> = {
  "stop-string": "word",
  "max-tokens": "limit",
  "context-full": "limit",
};
