import type { ChatEvent, ChatTurn } from "../chat/chat-turn.js";
import type { ChatTurnOptions } from "../chat/session-options.js";
import { type AnyContext, sessionIn } from "../electron/any-context.js";
import { AnswerParts, contentOf } from "./answer-parts.js";
import { readCall } from "./call-options.js";
import { conversationOf } from "./prompt-messages.js";
import type {
  CallWarning,
  GenerateResult,
  LanguageCallOptions,
  LanguageModel,
  SpecificationVersion,
  StreamPart,
  StreamResult,
} from "./specification.js";

/** What makes a language model. */
export interface LanguageModelParts<V extends SpecificationVersion> {
  readonly specification: V;
  readonly modelId: string;
  readonly context: AnyContext;
  readonly settings: ChatTurnOptions;
}

/**
 * A context as a language model of the AI SDK. It keeps no conversation: each call is a turn of a session of its
 * own, and what its prompt shares with others lies in the context's cache.
 */
export class CriaLanguageModel<V extends SpecificationVersion> implements LanguageModel<V> {
  readonly specificationVersion: V;
  readonly provider = "cria";
  readonly modelId: string;
  /** All of them: the SDK would download what is refused here. */
  readonly supportedUrls = { "*/*": [/^/] };
  readonly #context: AnyContext;
  readonly #settings: ChatTurnOptions;

  constructor({ specification, modelId, context, settings }: LanguageModelParts<V>) {
    this.specificationVersion = specification;
    this.modelId = modelId;
    this.#context = context;
    this.#settings = settings;
    sessionIn(context, settings); // so that wrong settings are told at once
  }

  /**
   * The whole answer.
   *
   * @throws {CriaError} as `ChatSession.send` and its turns; ERR_UNSUPPORTED for parts that are no text; the
   * signal's reason
   */
  readonly doGenerate = async (options: LanguageCallOptions): Promise<GenerateResult> => {
    const { turn, warnings } = this.#start(options);
    const answer = new AnswerParts();
    const parts: StreamPart[] = [];
    for await (const event of turn) parts.push(...answer.of(event));
    const end = parts.at(-1) as Extract<StreamPart, { readonly type: "finish" }>;
    const { type: _, ...rest } = end;
    return { content: contentOf(parts), ...rest, warnings, response: this.#response() };
  };

  /**
   * The answer as it comes. What fails once it has begun is a part of the stream; an abort is the stream's error.
   *
   * @throws {CriaError} ERR_INVALID_ARGUMENT, ERR_UNSUPPORTED, ERR_SCHEMA_UNSUPPORTED
   */
  readonly doStream = async (options: LanguageCallOptions): Promise<StreamResult> => {
    const { turn, warnings } = this.#start(options);
    const begin: StreamPart[] = [
      { type: "stream-start", warnings },
      { type: "response-metadata", ...this.#response() },
    ];
    return { stream: streamOf(turn, begin, options.abortSignal) };
  };

  #start(call: LanguageCallOptions): { readonly turn: ChatTurn; readonly warnings: CallWarning[] } {
    const { before, input } = conversationOf(call.prompt);
    const { options, warnings } = readCall(call, this.#settings);
    const session = sessionIn(this.#context, { ...this.#settings, messages: before });
    return { turn: session.send(input, options), warnings };
  }

  #response() {
    return { timestamp: new Date(), modelId: this.modelId };
  }
}

/** Read no faster than its reader reads; one that leaves ends the turn. */
function streamOf(
  turn: ChatTurn,
  begin: readonly StreamPart[],
  signal: AbortSignal | undefined,
): ReadableStream<StreamPart> {
  const answer = new AnswerParts();
  const events: AsyncIterator<ChatEvent, undefined> = turn[Symbol.asyncIterator]();
  return new ReadableStream<StreamPart>({
    start(controller) {
      for (const part of begin) controller.enqueue(part);
    },
    async pull(controller) {
      try {
        for (;;) {
          const { done, value } = await events.next();
          if (done) return controller.close();
          const parts = answer.of(value);
          for (const part of parts) controller.enqueue(part);
          if (parts.length > 0) return;
        }
      } catch (error) {
        if (signal?.aborted) return controller.error(error);
        for (const part of answer.failed(error)) controller.enqueue(part);
        controller.close();
      }
    },
    async cancel() {
      await events.return?.();
    },
  });
}
