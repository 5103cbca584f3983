import type { ChatRequest } from "../batch/engine/request-maker.js";
import { generateChoices, readAll } from "../batch/engine/whole-answers.js";
import { bodyFieldOf, readChatBody } from "../batch/input/openai-body.js";
import type { ChatPlan } from "../batch/input/request-plans.js";
import { chatAnswer, chatLogprob } from "../batch/output/answer-bodies.js";
import type { TokenLogprobs } from "../generation/logprobs.js";
import { type AnswerHead, answerHead, choicesUsage, newSeed, serverUsage } from "./answer-head.js";
import { timingsOf } from "./answer-timings.js";
import { type ChoiceEnd, type ChoiceListener, ChoiceStream } from "./choice-stream.js";
import type { EventStream } from "./event-stream.js";
import type { Exchange } from "./exchange.js";
import type { HostedWeights } from "./hosted-model.js";
import type { ServedHost } from "./served-host.js";
import {
  readStreamedBody,
  type StreamedBody,
  withSampling,
  withTemplateVariables,
} from "./streamed-body.js";

/** A chat that a body asks for, and whose it is. */
export async function readChatRequest(exchange: Exchange, host: ServedHost) {
  exchange.fieldOf = bodyFieldOf;
  const body = readStreamedBody(await exchange.json());
  const plan = withSampling(readChatBody(withTemplateVariables(body.rest)), body.sampling);
  const hosted = host.named(plan.model);
  exchange.model = hosted.name;
  return { body, plan, hosted };
}

/** POST /v1/chat/completions */
export async function answerChat(exchange: Exchange, host: ServedHost): Promise<void> {
  const { body, plan, hosted } = await readChatRequest(exchange, host);
  const { signal } = exchange;
  const events = body.stream ? exchange.events() : undefined;
  await hosted.use(plan.choices, signal, async (weights) => {
    const request = await weights.maker.chat(plan, newSeed(), signal);
    const chat = { request, weights, plan, body, exchange };
    if (events === undefined) await answerWhole(chat, host);
    else await answerInPieces(chat, events, host);
  });
}

interface Chat {
  readonly request: ChatRequest;
  readonly weights: HostedWeights;
  readonly plan: ChatPlan;
  readonly body: StreamedBody;
  readonly exchange: Exchange;
}

async function answerWhole({ request, weights, exchange }: Chat, host: ServedHost): Promise<void> {
  const { prompt, options, openReader } = request;
  const context = await weights.context("generation");
  const asked = options.map((option) => ({ prompt, options: option }));
  const { signal } = exchange;
  const { model } = weights;
  const choices = await generateChoices(context, asked, { signal, openReader, model });
  const results = choices.map(({ result }) => result);
  const head = answerHead("chatcmpl-", weights);
  const { body } = chatAnswer("", head.model, choices);
  const usage = choicesUsage(results.map((result) => result.usage));
  const thoughts = choices.reduce((sum, { reasoningTokens }) => sum + reasoningTokens, 0);
  host.metrics.countTokens(head.model, usage);
  exchange.sendJson({
    ...{ ...body, ...head, usage: serverUsage(usage, thoughts) },
    timings: timingsOf(results),
  });
}

async function answerInPieces(chat: Chat, events: EventStream, host: ServedHost): Promise<void> {
  const { request, weights, plan, body, exchange } = chat;
  const { prompt, options, openReader } = request;
  const context = await weights.context("generation");
  const head = answerHead("chatcmpl-", weights);
  const readers = await Promise.all(options.map(() => openReader()));
  const asked = options.map((option) => ({ prompt, options: option }));
  const ends = await readAll(context, asked, {
    signal: exchange.signal,
    read: async (generation, index) => {
      const pieces = new ChatPieces(events, {
        ...{ head, index, usage: body.usage, logprobs: plan.logprobs !== undefined },
      });
      const reader = readers[index] as (typeof readers)[number];
      const stream = new ChoiceStream(generation, reader, {
        model: weights.model,
        listener: pieces,
      });
      return pieces.end(await stream.run());
    },
  });
  const usage = choicesUsage(ends.map(({ result }) => result.usage));
  host.metrics.countTokens(head.model, usage);
  if (body.usage) {
    const thoughts = ends.reduce((sum, { reasoningTokens }) => sum + reasoningTokens, 0);
    await events.send({
      ...{ ...head, object: "chat.completion.chunk", choices: [] },
      usage: serverUsage(usage, thoughts),
    });
  }
  await events.send("[DONE]");
  events.end();
}

interface PieceOptions {
  readonly head: AnswerHead;
  readonly index: number;
  /** Whether all pieces have a usage, which is null but in the last. */
  readonly usage: boolean;
  readonly logprobs: boolean;
}

/** Tells one choice in chunks of OpenAI's form. */
class ChatPieces implements ChoiceListener {
  readonly #events: EventStream;
  readonly #options: PieceOptions;
  #begun = false;

  constructor(events: EventStream, options: PieceOptions) {
    this.#events = events;
    this.#options = options;
  }

  text(content: string, logprobs: readonly TokenLogprobs[]): Promise<void> {
    return this.#send({ content }, { logprobs });
  }

  reasoning(text: string, logprobs: readonly TokenLogprobs[]): Promise<void> {
    return this.#send({ reasoning_content: text }, { logprobs });
  }

  callBegins(index: number, { id, name }: { id: string; name: string }): Promise<void> {
    const call = { index, id, type: "function", function: { name, arguments: "" } };
    return this.#send({ tool_calls: [call] });
  }

  callArguments(index: number, text: string): Promise<void> {
    return this.#send({ tool_calls: [{ index, function: { arguments: text } }] });
  }

  async callEnds(): Promise<void> {}

  async end(end: ChoiceEnd): Promise<ChoiceEnd> {
    const more = { timings: timingsOf([end.result]) };
    await this.#send({}, { logprobs: end.logprobs, finish: end.finish, more });
    return end;
  }

  async #send(
    delta: object,
    {
      logprobs = [],
      finish = null,
      more = {},
    }: { logprobs?: readonly TokenLogprobs[]; finish?: string | null; more?: object } = {},
  ): Promise<void> {
    const { head, index, usage, logprobs: tells } = this.#options;
    const piece = (content: object, finish_reason: string | null, told: object | null) => ({
      ...{ ...head, object: "chat.completion.chunk" },
      choices: [{ index, delta: content, logprobs: told, finish_reason }],
      ...(usage && { usage: null }),
    });
    if (!this.#begun) {
      this.#begun = true;
      await this.#events.send(piece({ role: "assistant", content: "" }, null, null));
    }
    const told =
      tells && logprobs.length > 0 ? { content: logprobs.map(chatLogprob), refusal: null } : null;
    await this.#events.send({ ...piece(delta, finish, told), ...more });
  }
}
