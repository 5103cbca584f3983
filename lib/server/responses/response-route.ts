import { generateChoices } from "../../batch/engine/whole-answers.js";
import { finishReason } from "../../batch/output/answer-bodies.js";
import { newSeed } from "../answer-head.js";
import { ChoiceStream } from "../choice-stream.js";
import type { Exchange } from "../exchange.js";
import type { ServedHost } from "../served-host.js";
import { endedResponse, outputOf, responseFrame } from "./response-output.js";
import { ResponsePieces } from "./response-pieces.js";
import { readResponseBody, responseFieldOf } from "./response-request.js";

/** POST /v1/responses. Nothing is kept: a request has the whole conversation. */
export async function answerResponse(exchange: Exchange, host: ServedHost): Promise<void> {
  exchange.fieldOf = responseFieldOf;
  const { plan, stream, echo, inOwnWords } = readResponseBody(await exchange.json());
  exchange.inOwnWords = inOwnWords;
  const hosted = host.named(plan.model);
  exchange.model = hosted.name;
  const { signal } = exchange;
  const events = stream ? exchange.events() : undefined;
  await hosted.use(1, signal, async (weights) => {
    const { prompt, options, openReader } = await weights.maker.chat(plan, newSeed(), signal);
    const context = await weights.context("generation");
    const frame = responseFrame(hosted.name, echo);
    const [option = {}] = options;
    if (events === undefined) {
      const asked = [{ prompt, options: option }];
      const { model } = weights;
      const [choice] = await generateChoices(context, asked, { signal, openReader, model });
      if (choice === undefined) return;
      const { result } = choice;
      const called = choice.calls.some(({ problem }) => problem === undefined);
      const finish = called ? "tool_calls" : finishReason(result.stopReason);
      const { usage } = result;
      host.metrics.countTokens(hosted.name, usage);
      const ended = { finish, usage, reasoningTokens: choice.reasoningTokens } as const;
      exchange.sendJson(endedResponse(frame, outputOf(choice, finish), ended));
      return;
    }
    const reader = await openReader();
    const generation = context.generate(prompt, { ...option, signal });
    const listener = new ResponsePieces(events, frame);
    try {
      const end = await new ChoiceStream(generation, reader, {
        model: weights.model,
        listener,
      }).run();
      host.metrics.countTokens(hosted.name, end.result.usage);
      await listener.end(end);
      events.end();
    } finally {
      generation.cancel();
    }
  });
}
