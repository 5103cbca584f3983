import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type GgufMetadata, readGguf } from "./gguf.js";
import { llamaCppDir } from "./llama-cpp-dir.js";

/** llama.cpp's own, of every kind of tokenizer that it has one for. */
export const VOCABULARIES = readdirSync(join(llamaCppDir(), "models"))
  .map((name) => /^ggml-vocab-(.+)\.gguf$/.exec(name)?.[1])
  .filter((name) => name !== undefined);

export function vocabularyFile(name: string): string {
  return join(llamaCppDir(), "models", `ggml-vocab-${name}.gguf`);
}

const CONTROL = 3;
const USER_DEFINED = 4;

/** The texts of a vocabulary's control and user-defined tokens, as its file has them. */
export function namedTokens(name: string): { control: string[]; userDefined: string[] } {
  const metadata: GgufMetadata = readGguf(vocabularyFile(name));
  const texts = metadata.get("tokenizer.ggml.tokens") as string[];
  const types = (metadata.get("tokenizer.ggml.token_type") ?? []) as number[];
  return {
    control: texts.filter((_, id) => types[id] === CONTROL),
    userDefined: texts.filter((_, id) => types[id] === USER_DEFINED),
  };
}
