import type { AnswerPart } from "../../chat/answer-part.js";
import type { AnswerReader } from "../../chat/answer-reader.js";
import { ReasoningTokens } from "../../chat/reasoning-tokens.js";
import type { Context } from "../../context/context.js";
import type { GenerateOptions, Generation, GenerationResult } from "../../generation/generation.js";
import type { InfillInput } from "../../generation/infill.js";
import type { Places } from "../../internal/places.js";
import { allOf, windowWidth } from "../../internal/windowed.js";
import type { ParsedToolCall } from "../../messages/tool-types.js";
import type { LoadedModel } from "../../model/loaded-model.js";
import type { PromptInput } from "../../model/prompt.js";
import type { ChatChoice } from "../output/answer-bodies.js";

/** A prompt and how it is continued. */
export interface Asked {
  readonly prompt: PromptInput;
  readonly options: GenerateOptions;
  /** What stands behind the answer, where the prompt is a text and the answer goes between. */
  readonly behind?: Omit<InfillInput, "prefix">;
}

/** Of one request: more would only wait in the engine, where they are in the way of others. */
const TOGETHER = 64;

/**
 * All results, of so many at a time as keep the context full. The first failure ends the others, and waits for them.
 *
 * @param places what generations of several requests share; without them each request has a window of its own
 */
export async function generateAll(
  context: Context,
  asked: readonly Asked[],
  { signal, places }: { signal: AbortSignal; places?: Places | undefined },
): Promise<GenerationResult[]> {
  const running = new Set<Promise<GenerationResult>>();
  try {
    return await allOf({
      ...{ context, name: "prompts", signal },
      open: () => asked[Symbol.iterator](),
      start: (one: Asked) => {
        const left = new AbortController();
        let generation: Generation | undefined;
        const work = () => {
          generation = begin(context, one, signal);
          return generation.result();
        };
        const outcome = places === undefined ? work() : places.in(async () => work(), left.signal);
        running.add(outcome);
        const ended = () => void running.delete(outcome);
        outcome.then(ended, ended);
        const cancel = () => {
          left.abort();
          generation?.cancel();
        };
        return { outcome, cancel };
      },
      width: Math.min(windowWidth(context.sequences), TOGETHER),
    });
  } catch (error) {
    await Promise.allSettled(running);
    throw error;
  }
}

function begin(context: Context, { prompt, options, behind }: Asked, signal: AbortSignal) {
  const all = { ...options, signal };
  return behind === undefined
    ? context.generate(prompt, all)
    : context.infill({ ...behind, prefix: String(prompt) }, all);
}

/**
 * Starts all, or none, and reads each: for answers that are told as they come, of which the caller bounds the number.
 * The first failure cancels the others and waits for their ends.
 */
export async function readAll<T>(
  context: Context,
  asked: readonly Asked[],
  {
    signal,
    read,
  }: { signal: AbortSignal; read: (generation: Generation, index: number) => Promise<T> },
): Promise<T[]> {
  const generations: Generation[] = [];
  let reading: Promise<T>[] = [];
  try {
    for (const one of asked) generations.push(begin(context, one, signal));
    reading = generations.map(read);
    return await Promise.all(reading);
  } catch (error) {
    for (const generation of generations) generation.cancel();
    await Promise.allSettled(reading);
    await Promise.allSettled(generations.map((generation) => generation.result()));
    throw error;
  }
}

/**
 * All answers to a chat, each of which ends where its reader has what is wanted: behind an only call. How many tokens
 * come behind that is a matter of time, so it is not for batches, whose answers are the same in each run.
 */
export function generateChoices(
  context: Context,
  asked: readonly Asked[],
  {
    signal,
    openReader,
    model,
  }: { signal: AbortSignal; openReader: () => Promise<AnswerReader>; model: LoadedModel },
): Promise<ChatChoice[]> {
  const read = async (generation: Generation) => {
    const reader = await openReader();
    if (!reader.endsEarly) return choiceOf(await generation.result(), reader, model);
    const parts: AnswerPart[] = [];
    for await (const { text } of generation) {
      parts.push(...(await reader.push(text)));
      if (reader.over) generation.cancel();
    }
    const result = await generation.result();
    parts.push(...(await reader.finish(result.stopReason)));
    return choiceOfParts(parts, { result, reader, model });
  };
  return readAll(context, asked, { signal, read });
}

/** What was generated, told apart into text, thoughts and calls. */
export async function choiceOf(
  result: GenerationResult,
  reader: AnswerReader,
  model: LoadedModel,
): Promise<ChatChoice> {
  const parts = [...(await reader.push(result.text)), ...(await reader.finish(result.stopReason))];
  return choiceOfParts(parts, { result, reader, model });
}

function choiceOfParts(
  parts: readonly AnswerPart[],
  { result, reader, model }: { result: GenerationResult; reader: AnswerReader; model: LoadedModel },
): ChatChoice {
  const calls: ParsedToolCall[] = [];
  let content = "";
  let reasoning = "";
  for (const part of parts) {
    if (part.type === "text") content += part.text;
    if (part.type === "reasoning") reasoning += part.text;
    if (part.type === "tool-call") calls.push(part.call);
  }
  const thoughts = new ReasoningTokens(model);
  thoughts.add(result.text, result.tokens);
  const reasoningTokens = thoughts.count(reader.reasoningRanges);
  return { content, reasoning, reasoningTokens, calls, result };
}
