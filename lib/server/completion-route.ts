import { generateAll, readAll } from "../batch/engine/whole-answers.js";
import { bodyFieldOf, readCompletionBody } from "../batch/input/openai-body.js";
import {
  completionAnswer,
  completionLogprobs,
  finishReason,
} from "../batch/output/answer-bodies.js";
import type { Generation, GenerationResult, GenerationUsage } from "../generation/generation.js";
import type { LoadedModel } from "../model/loaded-model.js";
import { type AnswerHead, answerHead, choicesUsage, newSeed, serverUsage } from "./answer-head.js";
import { timingsOf } from "./answer-timings.js";
import { bestResults, readCompletionExtras, withExtras } from "./completion-extras.js";
import type { EventStream } from "./event-stream.js";
import type { Exchange } from "./exchange.js";
import type { ServedHost } from "./served-host.js";
import { readStreamedBody, withSampling } from "./streamed-body.js";

/** POST /v1/completions */
export async function answerCompletion(exchange: Exchange, host: ServedHost): Promise<void> {
  exchange.fieldOf = bodyFieldOf;
  const body = readStreamedBody(await exchange.json());
  const { extras, rest } = readCompletionExtras(body.rest);
  const wanted = withSampling(readCompletionBody(rest), body.sampling);
  const plan = withExtras(wanted, extras, body.stream);
  const hosted = host.named(plan.model);
  exchange.model = hosted.name;
  const { signal } = exchange;
  const events = body.stream ? exchange.events() : undefined;
  await hosted.use(plan.choices * plan.prompts.length, signal, async (weights) => {
    const { prompts, options } = await weights.maker.completion(plan, newSeed());
    const { suffix } = extras;
    const asked = prompts.flatMap((prompt) =>
      options.map((option) => ({
        ...{ prompt, options: option },
        ...(suffix !== undefined && { behind: { suffix } }),
      })),
    );
    const context = await weights.context("generation");
    const head = answerHead("cmpl-", weights);
    const echoes = extras.echo
      ? plan.prompts.map((prompt) => textOf(prompt, weights.model))
      : undefined;
    const pieces = events && { events, head, usage: body.usage, choices: plan.choices, echoes };
    const results = pieces
      ? await readAll(context, asked, {
          signal,
          read: (generation, index) => tell(generation, index, pieces),
        })
      : await generateAll(context, asked, { signal });
    const usage = promptsUsage(results, prompts.length);
    host.metrics.countTokens(head.model, usage);
    if (pieces !== undefined) return endPieces(pieces, usage);
    const best = bestResults(results, {
      ...{ prompts: prompts.length, kept: wanted.choices, told: wanted.logprobs !== undefined },
    });
    const told = best.map((result, index) => {
      const echo = echoes?.[Math.floor(index / wanted.choices)];
      return echo === undefined ? result : { ...result, text: echo + result.text };
    });
    const answer = completionAnswer("", head.model, told, prompts.length);
    exchange.sendJson({
      ...{ ...answer.body, ...head, usage: serverUsage(usage) },
      timings: timingsOf(results),
    });
  });
}

function textOf(prompt: string | readonly number[], model: LoadedModel): string {
  return typeof prompt === "string" ? prompt : model.detokenize(prompt, { special: true });
}

interface Pieces {
  readonly events: EventStream;
  readonly head: AnswerHead;
  readonly usage: boolean;
  /** Of each prompt. */
  readonly choices: number;
  /** The prompts, where they are told, too. */
  readonly echoes: readonly string[] | undefined;
}

async function tell(
  generation: Generation,
  index: number,
  { events, head, usage, choices, echoes }: Pieces,
): Promise<GenerationResult> {
  const send = (
    text: string,
    logprobs: object | null,
    finish_reason: string | null,
    more: object = {},
  ) =>
    events.send({
      ...{ ...head, object: "text_completion" },
      choices: [{ index, text, logprobs, finish_reason }],
      ...(usage && { usage: null }),
      ...more,
    });
  const echo = echoes?.[Math.floor(index / choices)];
  if (echo !== undefined) await send(echo, null, null);
  let length = 0;
  for await (const { text, logprobs } of generation) {
    await send(text, logprobs === undefined ? null : completionLogprobs(logprobs, length), null);
    length += text.length;
  }
  const result = await generation.result();
  await send("", null, finishReason(result.stopReason), { timings: timingsOf([result]) });
  return result;
}

async function endPieces(
  { events, head, usage: tells }: Pieces,
  usage: GenerationUsage,
): Promise<void> {
  if (tells) {
    await events.send({
      ...{ ...head, object: "text_completion", choices: [] },
      usage: serverUsage(usage),
    });
  }
  await events.send("[DONE]");
  events.end();
}

/** Each prompt has the same number of results, in order, and counts once. */
function promptsUsage(results: readonly GenerationResult[], prompts: number): GenerationUsage {
  const each = results.length / prompts;
  const sums = Array.from({ length: prompts }, (_, index) =>
    choicesUsage(results.slice(index * each, (index + 1) * each).map(({ usage }) => usage)),
  );
  const sum = (key: keyof GenerationUsage) => sums.reduce((total, one) => total + one[key], 0);
  return {
    promptTokens: sum("promptTokens"),
    cachedTokens: sum("cachedTokens"),
    completionTokens: sum("completionTokens"),
  };
}
