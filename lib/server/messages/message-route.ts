import { generateChoices } from "../../batch/engine/whole-answers.js";
import { finishReason } from "../../batch/output/answer-bodies.js";
import { newSeed } from "../answer-head.js";
import { ChoiceStream } from "../choice-stream.js";
import type { Exchange } from "../exchange.js";
import type { ServedHost } from "../served-host.js";
import { countTokens } from "../token-count-routes.js";
import { contentOf, messageStop, messageUsage, openMessage } from "./message-output.js";
import { MessagePieces } from "./message-pieces.js";
import { messageFieldOf, readMessageBody } from "./message-request.js";

async function readRequest(exchange: Exchange, host: ServedHost) {
  exchange.fieldOf = messageFieldOf;
  const request = readMessageBody(await exchange.json());
  exchange.inOwnWords = request.inOwnWords;
  const hosted = host.named(request.plan.model);
  exchange.model = hosted.name;
  return { ...request, hosted };
}

/** POST /v1/messages, as Anthropic's API has it. */
export async function answerMessage(exchange: Exchange, host: ServedHost): Promise<void> {
  const { plan, stream, stops, hosted } = await readRequest(exchange, host);
  const { signal } = exchange;
  const events = stream ? exchange.events() : undefined;
  await hosted.use(1, signal, async (weights) => {
    const { prompt, options, openReader } = await weights.maker.chat(plan, newSeed(), signal);
    const context = await weights.context("generation");
    const [option = {}] = options;
    const { model } = weights;
    if (events === undefined) {
      const asked = [{ prompt, options: option }];
      const [choice] = await generateChoices(context, asked, { signal, openReader, model });
      if (choice === undefined) return;
      const { result } = choice;
      const called = choice.calls.some(({ problem }) => problem === undefined);
      const finish = called ? "tool_calls" : finishReason(result.stopReason);
      host.metrics.countTokens(hosted.name, result.usage);
      exchange.sendJson({
        ...openMessage(hosted.name),
        content: contentOf(choice),
        ...messageStop(finish, result, stops),
        usage: messageUsage(result.usage),
      });
      return;
    }
    const reader = await openReader();
    const generation = context.generate(prompt, { ...option, signal });
    const listener = new MessagePieces(events, hosted.name);
    try {
      const end = await new ChoiceStream(generation, reader, { model, listener }).run();
      host.metrics.countTokens(hosted.name, end.result.usage);
      await listener.end(end, stops);
      events.end();
    } finally {
      generation.cancel();
    }
  });
}

/** POST /v1/messages/count_tokens */
export async function answerMessageCount(exchange: Exchange, host: ServedHost): Promise<void> {
  const { plan, hosted } = await readRequest(exchange, host);
  const { signal } = exchange;
  await hosted.use(1, signal, async ({ maker, model }) => {
    const { prompt } = await maker.chat(plan, newSeed(), signal);
    exchange.sendJson({ input_tokens: await countTokens(prompt, model, signal) });
  });
}
