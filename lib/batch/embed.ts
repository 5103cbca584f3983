import type { Context } from "../context.js";
import { CriaError } from "../errors.js";
import type { Answer } from "./engine.js";
import type { EmbeddingPlan } from "./plans.js";

/** The embeddings of a line; one that fails is the line's error. */
export async function embedInputs(
  context: Context,
  { inputs, model, encoding, dimensions }: EmbeddingPlan,
  { name, signal }: { name: string; signal: AbortSignal },
): Promise<Answer> {
  const { embeddingLength } = context.model;
  if (dimensions !== undefined && dimensions !== embeddingLength) {
    throw new CriaError(
      "ERR_UNSUPPORTED",
      `\`body.dimensions\` can only be the model's own, ${embeddingLength}`,
      { details: { name: "body.dimensions" } },
    );
  }
  const data: object[] = [];
  let promptTokens = 0;
  for await (const one of context.embedMany(inputs, { signal })) {
    if (one.embedding === undefined) throw one.error;
    promptTokens += one.tokens;
    const embedding = encoded(one.embedding, encoding);
    data[one.index] = { object: "embedding", index: one.index, embedding };
  }
  return {
    body: {
      object: "list",
      data,
      model: model ?? name,
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    },
    promptTokens,
    cachedTokens: 0,
    completionTokens: 0,
  };
}

/** Base64 of the floats' bytes, as OpenAI's clients ask for them. */
function encoded(vector: Float32Array, encoding: EmbeddingPlan["encoding"]): number[] | string {
  if (encoding === "float") return Array.from(vector);
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}
