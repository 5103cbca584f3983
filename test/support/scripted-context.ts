import {
  type Context,
  type GenerateOptions,
  type GenerationResult,
  type Model,
  type Prompt,
  promptToString,
} from "../../lib/index.js";

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

/** A context whose model says these answers, one per generation. */
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
      generate(prompt: Prompt, options: GenerateOptions) {
        asked.push({ prompt: promptToString(prompt, model), options });
        const answer = script.shift();
        if (answer === undefined) throw new Error("The script has no more answers");
        return generation(typeof answer === "string" ? { pieces: [answer] } : answer, made);
      },
    } as unknown as Context,
    asked,
    running: 0,
    together: 0,
  };
  return made;
}

function generation({ pieces, stopReason = "end-of-turn", error }: ScriptedAnswer, made: Scripted) {
  let cancel = () => {};
  let cancelled = false;
  const stopped = new Promise<void>((resolve) => {
    cancel = () => {
      cancelled = true;
      resolve();
    };
  });
  let text = "";
  async function* chunks() {
    made.running += 1;
    made.together = Math.max(made.together, made.running);
    try {
      for (const piece of pieces) {
        await Promise.race([piece, stopped]);
        if (cancelled) return;
        if (typeof piece !== "string") continue;
        text += piece;
        yield { text: piece, tokens: bytes(piece) };
      }
      if (error !== undefined) throw error;
    } finally {
      made.running -= 1;
    }
  }
  const result = async () => ({
    text,
    tokens: bytes(text),
    stopReason: cancelled ? "cancelled" : stopReason,
    usage: { promptTokens: 10, cachedTokens: 4, completionTokens: 3 },
  });
  return { cancel, result, [Symbol.asyncIterator]: chunks };
}

/** A call as the model writes it. */
export function call(name: string, parameters: unknown): string {
  return `{"name": ${JSON.stringify(name)}, "parameters": ${JSON.stringify(parameters)}}`;
}
