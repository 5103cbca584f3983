import { AIMessageChunk, type UsageMetadata } from "@langchain/core/messages";
import type { ChatEvent, ChatTurnResult } from "../chat/chat-turn.js";
import type { ParsedToolCall } from "../messages/tool-types.js";

/**
 * Turns the events of a turn into chunks of a message. A call comes whole: LangChain completes arguments that were
 * cut off, and would have a call carried out that the model never finished.
 */
export class AnswerChunks {
  readonly #modelName: string;
  #calls = 0;

  constructor(modelName: string) {
    this.#modelName = modelName;
  }

  of(event: ChatEvent): AIMessageChunk[] {
    switch (event.type) {
      case "text":
        return [new AIMessageChunk(event.text)];
      case "reasoning":
        return [thought(event.text)];
      case "tool-call":
        return [called(event.call, this.#calls++)];
      case "finish":
        return [ended(event.result, this.#modelName)];
      default:
        return [];
    }
  }
}

function thought(text: string): AIMessageChunk {
  return new AIMessageChunk({ content: "", additional_kwargs: { reasoning_content: text } });
}

/** Arguments that are no JSON make it one of `invalid_tool_calls`. */
function called(call: ParsedToolCall, index: number): AIMessageChunk {
  const { id, problem, source = "", function: made } = call;
  const args = problem === undefined ? made.arguments : `${problem}: ${source}`;
  const chunk = { type: "tool_call_chunk", id, name: made.name, args, index } as const;
  return new AIMessageChunk({ content: "", tool_call_chunks: [chunk] });
}

function ended(result: ChatTurnResult, modelName: string): AIMessageChunk {
  const { stopReason, usage, blocked } = result;
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = usage;
  const chunk = new AIMessageChunk({
    content: "",
    response_metadata: {
      model_provider: "cria",
      model_name: modelName,
      finish_reason: FINISHED[stopReason],
      stop_reason: stopReason,
      ...(blocked !== undefined && { moderation: blocked }),
    },
  });
  const usage_metadata: UsageMetadata = {
    input_tokens: promptTokens,
    output_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    input_token_details: { cache_read: cachedTokens },
    output_token_details: { reasoning: reasoningTokens },
  };
  // Its declared type is that of a message structure, which here is not known.
  return Object.assign(chunk, { usage_metadata });
}

/** In OpenAI's words, which LangChain's users look for. */
const FINISHED: Readonly<Record<ChatTurnResult["stopReason"], string>> = {
  "end-of-text": "stop",
  "end-of-turn": "stop",
  "end-of-message": "stop",
  "stop-string": "stop",
  "max-tokens": "length",
  "context-full": "length",
  "tool-calls": "tool_calls",
  moderated: "content_filter",
  cancelled: "cancelled",
};
