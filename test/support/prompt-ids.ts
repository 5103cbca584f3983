import type { Model, Prompt } from "../../lib/index.js";
import { nativePrompt } from "../../lib/model/prompt.js";

/** A prompt's token ids, a list for each run of ids and each text, by the way a generation takes. */
export function promptIds(prompt: Prompt, model: Model): { ids: number[]; text: boolean }[] {
  const { segments } = nativePrompt(prompt, {
    vocabularySize: model.vocabularySize,
    addsBos: true,
    tokenId: (text) => model.tokenId(text) ?? -1,
  });
  return segments.map((segment) => {
    if (typeof segment === "string") return { ids: [...model.tokenize(segment)], text: true };
    if (ArrayBuffer.isView(segment)) return { ids: [...segment], text: false };
    throw new Error("Media have no ids.");
  });
}

/** Every control token of the vocabulary by its text. */
export function controlTokens(model: Model): Map<string, number> {
  const tokens = new Map<string, number>();
  for (let id = 0; id < model.vocabularySize; id++) {
    const text = model.detokenize([id], { special: true });
    if (text !== "" && model.tokenId(text) === id) tokens.set(text, id);
  }
  return tokens;
}
