import type { Context } from "../../context/context.js";
import { CriaError } from "../../internal/errors.js";
import type { EmbeddingPlan } from "../input/request-plans.js";
import type { BatchEmbeddings } from "../output/openai-answers.js";
import type { Answer } from "./batch-engine.js";

type Embedding<E> = Omit<BatchEmbeddings["data"][number], "embedding"> & { embedding: E };
type Embeddings = Omit<BatchEmbeddings, "data"> & { data: Embedding<number[] | string>[] };

/** Embeds the inputs of a line. One that fails is the line's error. */
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
  const data: Embeddings["data"] = [];
  let promptTokens = 0;
  for await (const one of context.embedMany(inputs, { signal })) {
    if (one.embedding === undefined) throw one.error;
    promptTokens += one.tokens;
    const embedding = encoded(one.embedding, encoding);
    data[one.index] = { object: "embedding", index: one.index, embedding };
  }
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
  const body: Embeddings = { object: "list", data, model: model ?? name, usage };
  return { body, promptTokens, cachedTokens: 0, completionTokens: 0 };
}

/** Base64 of the floats' bytes, as OpenAI's clients ask for them. */
function encoded(vector: Float32Array, encoding: EmbeddingPlan["encoding"]): number[] | string {
  if (encoding === "float") return decimals(vector);
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}

/** Nine digits give back the same float. */
export function decimals(vector: Float32Array): number[] {
  return Array.from(vector, (value) => Number(value.toPrecision(9)));
}
