import { nativeGenerateOptions } from "../../lib/generation/generate-options.js";
import { RunningGeneration } from "../../lib/generation/generation.js";
import {
  type Context,
  type GenerateOptions,
  type GenerationResult,
  type Model,
  type Prompt,
  promptToString,
  Sampler,
} from "../../lib/index.js";
import { nativePrompt } from "../../lib/model/prompt.js";

/** What a scripted model answers: pieces of text, and what it waits for between them. */
export interface ScriptedAnswer {
  readonly pieces: readonly (string | Promise<unknown>)[];
  readonly stopReason?: GenerationResult["stopReason"];
  /** Thrown behind the pieces. */
  readonly error?: unknown;
}

export interface Asked {
  /** The prompt as a text. */
  readonly prompt: string;
  /** The same as it was given. */
  readonly segments: Prompt;
  readonly options: GenerateOptions;
}

export interface Scripted {
  readonly context: Context;
  /** Every generation that was started. */
  readonly asked: Asked[];
  /** How many run. */
  running: number;
  /** How many ran at once, at most. */
  together: number;
}

const bytes = (text: string) => Int32Array.from(Buffer.from(text));

/** A model whose tokens are bytes, of the Llama 3.1 format. */
const model = {
  chatTemplate: null,
  metadata: new Map<string, string>(),
  vocabularySize: 256,
  tokenId: () => 0,
  tokenize: bytes,
  tokenizeAsync: async (text: string) => bytes(text),
  detokenize: (tokens: Iterable<number>) => Buffer.from([...tokens]).toString(),
} as unknown as Model;

const vocabulary = { vocabularySize: 256, addsBos: false, tokenId: () => 0 };

/**
 * A context whose model says these answers, one per generation. Its generations are the library's own and
 * check what they are given; only the engine behind them is played. test/doubles.test.ts compares them with
 * the demo model's.
 */
export function scripted(
  answers: readonly (string | ScriptedAnswer)[],
  { contextSize = 100_000 } = {},
): Scripted {
  const script = [...answers];
  const asked: Asked[] = [];
  const made: Scripted = {
    context: {
      model,
      contextSize,
      generate(prompt: Prompt, options: GenerateOptions = {}) {
        nativePrompt(prompt, vocabulary);
        const checked = nativeGenerateOptions(options, model, Sampler.greedy);
        asked.push({ prompt: promptToString(prompt, model), segments: prompt, options });
        const answer = script.shift();
        if (answer === undefined) throw new Error("The script has no more answers");
        return generation(
          typeof answer === "string" ? { pieces: [answer] } : answer,
          checked,
          made,
        );
      },
    } as unknown as Context,
    asked,
    running: 0,
    together: 0,
  };
  return made;
}

/** Enough of the queue of promises for the reader to have each piece by itself. */
async function turn(): Promise<void> {
  for (let i = 0; i < 20; i++) await undefined;
}

function generation(
  answer: ScriptedAnswer,
  { signal, onProgress }: ReturnType<typeof nativeGenerateOptions>,
  made: Scripted,
): RunningGeneration {
  let cancel = () => {};
  const stopped = new Promise<"stopped">((resolve) => {
    cancel = () => resolve("stopped");
  });
  const running = new RunningGeneration({
    ...{ id: 1, native: { cancel: () => cancel() }, signal, onProgress, logprobs: undefined },
    origin: {},
  });
  made.running += 1;
  made.together = Math.max(made.together, made.running);
  play(answer, running, stopped)
    .catch((error) => running.fail(error))
    .finally(() => {
      made.running -= 1;
    });
  return running;
}

async function play(
  { pieces, stopReason = "end-of-turn", error }: ScriptedAnswer,
  running: RunningGeneration,
  stopped: Promise<"stopped">,
): Promise<void> {
  const news = (text: string) => ({ id: running.id, text, tokens: bytes(text) });
  const finish = (reason: GenerationResult["stopReason"]) =>
    running.receive({
      ...news(""),
      result: {
        ...{ stopReason: reason, stopToken: -1, stopString: null },
        ...{ promptTokens: 10, cachedTokens: 4, completionTokens: 3 },
        ...{ queuedMs: 0, promptMs: 1, generationMs: 1 },
      },
    });
  for (const piece of pieces) {
    if ((await Promise.race([stopped, piece])) === "stopped") return finish("cancelled");
    if (typeof piece !== "string") continue;
    running.receive(news(piece));
    if ((await Promise.race([stopped, turn()])) === "stopped") return finish("cancelled");
  }
  if (error !== undefined) throw error;
  finish(stopReason);
}

/** A call as the model writes it. */
export function call(name: string, parameters: unknown): string {
  return `{"name": ${JSON.stringify(name)}, "parameters": ${JSON.stringify(parameters)}}`;
}
