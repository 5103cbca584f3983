import type { GenerationResult, Model, Prompt } from "../../lib/index.js";

/** One question in the Llama 3.1 format. */
export function question(text: string): Prompt {
  return [
    { control: "<|begin_of_text|>" },
    { control: "<|start_header_id|>" },
    { text: "user" },
    { control: "<|end_header_id|>" },
    { text: "\n\n" },
    { text },
    { control: "<|eot_id|>" },
    { control: "<|start_header_id|>" },
    { text: "assistant" },
    { control: "<|end_header_id|>" },
    { text: "\n\n" },
  ];
}

/** Different enough to diverge at once, of different lengths. */
export const PROMPTS: readonly Prompt[] = [
  question("What is a llama?"),
  question("My name is Ada. What is my name?"),
  [{ control: "<|begin_of_text|>" }, { text: "Once upon a time, a small llama" }],
  question("Where do llamas live? Answer in one short sentence, please."),
  [{ control: "<|begin_of_text|>" }, { text: "The" }],
  question("Say hello."),
  [{ control: "<|begin_of_text|>" }, { text: "3 4 5 6 7 8 9 10 11 12 13" }],
  question("How much is 2 and 3?"),
];

/** The tokens as the model chose them, the one that ended it included. */
export function chosen({ tokens, stopToken }: GenerationResult): number[] {
  return stopToken === null ? [...tokens] : [...tokens, stopToken];
}

/** Tokens that end a generation: forbidden, the model talks until something else ends it. */
export function endTokens(model: Model): number[] {
  return Array.from({ length: model.vocabularySize }, (_, id) => id).filter((id) =>
    model.isEndOfGeneration(id),
  );
}

export function forbidden(tokens: readonly number[]): Record<number, number> {
  return Object.fromEntries(tokens.map((id) => [id, Number.NEGATIVE_INFINITY]));
}

/** The prompt's ids, as a generation evaluates them. */
export function idsOf(model: Model, prompt: Prompt): Int32Array {
  const ids = prompt.map((segment) => {
    if ("text" in segment) return [...model.tokenize(segment.text)];
    if ("control" in segment) return [model.tokenId(segment.control) as number];
    if ("tokens" in segment) return [...segment.tokens];
    throw new Error("Media have no ids.");
  });
  return Int32Array.from(ids.flat());
}
