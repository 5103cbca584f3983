import type { ChatPlan } from "../batch/input/request-plans.js";
import { CriaError } from "../internal/errors.js";
import type { LoadedModel } from "../model/loaded-model.js";
import type { Prompt } from "../model/prompt.js";
import { newSeed } from "./answer-head.js";
import { readChatRequest } from "./chat-route.js";
import type { Exchange } from "./exchange.js";
import type { HostedModel } from "./hosted-model.js";
import { readResponseBody, responseFieldOf } from "./responses/response-request.js";
import type { ServedHost } from "./served-host.js";

/** POST /v1/chat/completions/input_tokens: how many tokens the chat's prompt has. */
export async function answerChatCount(exchange: Exchange, host: ServedHost): Promise<void> {
  const { plan, hosted } = await readChatRequest(exchange, host);
  await answerCount(exchange, hosted, plan);
}

/** POST /v1/responses/input_tokens */
export async function answerResponseCount(exchange: Exchange, host: ServedHost): Promise<void> {
  exchange.fieldOf = responseFieldOf;
  const { plan, inOwnWords } = readResponseBody(await exchange.json());
  exchange.inOwnWords = inOwnWords;
  const hosted = host.named(plan.model);
  exchange.model = hosted.name;
  await answerCount(exchange, hosted, plan);
}

async function answerCount(exchange: Exchange, hosted: HostedModel, plan: ChatPlan): Promise<void> {
  const { signal } = exchange;
  await hosted.use(1, signal, async ({ maker, model }) => {
    const { prompt } = await maker.chat(plan, newSeed(), signal);
    const input_tokens = await countTokens(prompt, model, signal);
    exchange.sendJson({ object: "response.input_tokens", input_tokens });
  });
}

/** @throws {CriaError} ERR_UNSUPPORTED for pictures and sounds, whose tokens are known once they are encoded */
export async function countTokens(prompt: Prompt, model: LoadedModel, signal: AbortSignal) {
  let count = 0;
  for (const segment of prompt) {
    if ("text" in segment) count += (await model.tokenizeAsync(segment.text, { signal })).length;
    else if ("control" in segment) count += 1;
    else if ("tokens" in segment) count += segment.tokens.length;
    else {
      throw new CriaError(
        "ERR_UNSUPPORTED",
        "The tokens of pictures and sounds are not counted without evaluating them: count the text alone",
      );
    }
  }
  return count;
}
