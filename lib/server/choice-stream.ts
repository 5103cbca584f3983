import { finishReason } from "../batch/output/answer-bodies.js";
import type { AnswerPart } from "../chat/answer-part.js";
import type { AnswerReader } from "../chat/answer-reader.js";
import { ReasoningTokens } from "../chat/reasoning-tokens.js";
import type { Generation, GenerationResult } from "../generation/generation.js";
import type { TokenLogprobs } from "../generation/logprobs.js";
import type { ParsedToolCall } from "../messages/tool-types.js";
import type { LoadedModel } from "../model/loaded-model.js";

/** Who is told what comes of one answer. Each call is awaited, so that a slow reader gets longer pieces. */
export interface ChoiceListener {
  text(text: string, logprobs: readonly TokenLogprobs[]): Promise<void>;
  reasoning(text: string, logprobs: readonly TokenLogprobs[]): Promise<void>;
  /** A call begins. Its place among the answer's calls counts from 0. */
  callBegins(place: number, call: { readonly id: string; readonly name: string }): Promise<void>;
  callArguments(place: number, text: string): Promise<void>;
  callEnds(place: number, call: ParsedToolCall): Promise<void>;
}

/** How an answer ended. */
export interface ChoiceEnd {
  readonly result: GenerationResult;
  readonly finish: "stop" | "length" | "tool_calls";
  readonly reasoningTokens: number;
  /** Those that were not told with a piece of the answer. */
  readonly logprobs: readonly TokenLogprobs[];
}

/** Reads one answer while it is generated, and tells its parts as they come. */
export class ChoiceStream {
  readonly #generation: Generation;
  readonly #reader: AnswerReader;
  readonly #listener: ChoiceListener;
  readonly #thoughts: ReasoningTokens;
  /** Calls by their ids: their places, and whether they were told as they came. */
  readonly #calls = new Map<string, number>();
  #called = false;
  #logprobs: TokenLogprobs[] = [];

  constructor(
    generation: Generation,
    reader: AnswerReader,
    { model, listener }: { readonly model: LoadedModel; readonly listener: ChoiceListener },
  ) {
    this.#generation = generation;
    this.#reader = reader;
    this.#listener = listener;
    this.#thoughts = new ReasoningTokens(model);
  }

  async run(): Promise<ChoiceEnd> {
    const reader = this.#reader;
    for await (const { text, tokens, logprobs = [] } of this.#generation) {
      this.#thoughts.add(text, tokens);
      for (const one of logprobs) this.#logprobs.push(one);
      await this.#tell(await reader.push(text));
      if (reader.over) this.#generation.cancel();
    }
    const result = await this.#generation.result();
    await this.#tell(await reader.finish(result.stopReason));
    return {
      result,
      finish: this.#called ? "tool_calls" : finishReason(result.stopReason),
      reasoningTokens: this.#thoughts.count(reader.reasoningRanges),
      logprobs: this.#takeLogprobs(),
    };
  }

  async #tell(parts: readonly AnswerPart[]): Promise<void> {
    const listener = this.#listener;
    for (const part of parts) {
      if (part.type === "text") await listener.text(part.text, this.#takeLogprobs());
      else if (part.type === "reasoning") {
        await listener.reasoning(part.text, this.#takeLogprobs());
      } else if (part.type === "tool-call") {
        await this.#endCall(part.call);
      } else {
        const { callId: id, name, argumentsDelta } = part;
        const place = this.#calls.get(id) ?? (await this.#beginCall({ id, name }));
        if (argumentsDelta !== "") await listener.callArguments(place, argumentsDelta);
      }
    }
  }

  async #beginCall(call: { readonly id: string; readonly name: string }): Promise<number> {
    const place = this.#calls.size;
    this.#calls.set(call.id, place);
    await this.#listener.callBegins(place, call);
    return place;
  }

  /** One that came in pieces has been told but for its end; one that cannot be read stays text. */
  async #endCall(call: ParsedToolCall): Promise<void> {
    const { id, problem, source = "", function: called } = call;
    let place = this.#calls.get(id);
    if (problem !== undefined) {
      if (place === undefined) await this.#listener.text(source, this.#takeLogprobs());
      return;
    }
    this.#called = true;
    if (place === undefined) {
      place = await this.#beginCall({ id, name: called.name });
      await this.#listener.callArguments(place, called.arguments);
    }
    await this.#listener.callEnds(place, call);
  }

  #takeLogprobs(): readonly TokenLogprobs[] {
    const taken = this.#logprobs;
    this.#logprobs = [];
    return taken;
  }
}
