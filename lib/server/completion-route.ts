import { generateAll, readAll } from "../batch/engine/whole-answers.js";
import { bodyFieldOf, readCompletionBody } from "../batch/input/openai-body.js";
import {
  completionAnswer,
  completionLogprobs,
  finishReason,
} from "../batch/output/answer-bodies.js";
import type { Generation, GenerationResult, GenerationUsage } from "../generation/generation.js";
import { type AnswerHead, answerHead, choicesUsage, newSeed, serverUsage } from "./answer-head.js";
import type { EventStream } from "./event-stream.js";
import type { Exchange } from "./exchange.js";
import type { ServedHost } from "./served-host.js";
import { readStreamedBody, withSampling } from "./streamed-body.js";

/** POST /v1/completions */
export async function answerCompletion(exchange: Exchange, host: ServedHost): Promise<void> {
  exchange.fieldOf = bodyFieldOf;
  const body = readStreamedBody(await exchange.json());
  const plan = withSampling(readCompletionBody(body.rest), body.sampling);
  const hosted = host.named(plan.model);
  exchange.model = hosted.name;
  const { signal } = exchange;
  const events = body.stream ? exchange.events() : undefined;
  await hosted.use(plan.choices * plan.prompts.length, signal, async (weights) => {
    const { prompts, options } = await weights.maker.completion(plan, newSeed());
    const asked = prompts.flatMap((prompt) =>
      options.map((option) => ({ prompt, options: option })),
    );
    const context = await weights.context("generation");
    const head = answerHead("cmpl-", weights);
    const pieces = events && { events, head, usage: body.usage };
    const results = pieces
      ? await readAll(context, asked, {
          signal,
          read: (generation, index) => tell(generation, index, pieces),
        })
      : await generateAll(context, asked, signal);
    const usage = promptsUsage(results, prompts.length);
    host.metrics.countTokens(head.model, usage);
    if (pieces === undefined) {
      const answer = completionAnswer("", head.model, results, prompts.length);
      exchange.sendJson({ ...answer.body, ...head, usage: serverUsage(usage) });
    } else {
      await endPieces(pieces, usage);
    }
  });
}

interface Pieces {
  readonly events: EventStream;
  readonly head: AnswerHead;
  readonly usage: boolean;
}

async function tell(
  generation: Generation,
  index: number,
  { events, head, usage }: Pieces,
): Promise<GenerationResult> {
  const send = (text: string, logprobs: object | null, finish_reason: string | null) =>
    events.send({
      ...{ ...head, object: "text_completion" },
      choices: [{ index, text, logprobs, finish_reason }],
      ...(usage && { usage: null }),
    });
  let length = 0;
  for await (const { text, logprobs } of generation) {
    await send(text, logprobs === undefined ? null : completionLogprobs(logprobs, length), null);
    length += text.length;
  }
  const result = await generation.result();
  await send("", null, finishReason(result.stopReason));
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
