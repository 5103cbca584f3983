import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, type ContextOptions, Model, type Pooling } from "../../lib/index.js";
import { normalized, referenceEmbeddings } from "../support/embed-reference.js";
import { writeGguf } from "../support/gguf-writer.js";
import { MODEL } from "../support/paths.js";
import { Random } from "../support/random.js";
import { distance, within } from "../support/reference.js";
import { TINY_CONTEXT, wordsText, writeBert, writeLlama, writeT5 } from "../support/tiny-models.js";

const code = (code: string) => expect.objectContaining({ code });
const POOLINGS: readonly Pooling[] = ["mean", "cls", "last", "none"];
/** Of a normalized vector's numbers: rounding differs with what else is in the batch. */
const NEAR = within(2e-5, 2e-3);
/** With it, nothing is rounded to fewer than 32 bits: flash attention rounds keys and values to 16, always. */
const UNROUNDED = { kvCacheType: "f32", flashAttention: false } as const;

let directory: string;
let bertFile: string;
let rankFile: string;
let demo: Model;
let llamaFile: string;
let llama: Model;
let bert: Model;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-bert-"));
  bertFile = join(directory, "bert.gguf");
  rankFile = join(directory, "rank.gguf");
  writeBert(bertFile, { pooling: 2 });
  writeBert(rankFile, { pooling: 4, ranks: true });
  llamaFile = join(directory, "llama.gguf");
  writeLlama(llamaFile);
  [demo, llama, bert] = await Promise.all([
    Model.load(MODEL),
    Model.load(llamaFile),
    Model.load(bertFile),
  ]);
});
afterAll(async () => {
  await Promise.all([demo, llama, bert].map((model) => model.dispose()));
  await rm(directory, { recursive: true });
});

/** 1…40 words each, a few that are long, an empty one, and what a vocabulary may not have. */
function texts(count: number): string[] {
  const random = new Random(count);
  const some = Array.from({ length: count }, () => wordsText(random, 1 + random.below(40)));
  return [...some, wordsText(random, 120), "", "llamas", "é犬!", "🦙 <|eot_id|> [SEP]", "a\n\n b"];
}

async function withContext<T>(
  model: Model,
  options: ContextOptions,
  use: (context: Context) => Promise<T>,
): Promise<T> {
  const context = await model.createContext({ embeddings: true, ...options });
  try {
    return await use(context);
  } finally {
    await context.dispose();
  }
}

describe.each(POOLINGS)("pooling %s", (pooling) => {
  test.each([
    ["a decoder", "llama", {}],
    ["a decoder, texts in pieces", "llama", { microBatchSize: 48, sequences: 5 }],
    ["an encoder", "bert", {}],
    ["an encoder, small batches", "bert", { microBatchSize: 48, sequences: 3 }],
  ] as const)("%s: is llama.h's loop over one text at a time", async (_, name, changes) => {
    const [model, file] = name === "llama" ? [llama, llamaFile] : [bert, bertFile];
    const input = texts(60);
    const reference = await referenceEmbeddings(file, input, pooling, "f32");
    const options = { pooling, ...UNROUNDED, ...changes } as const;
    const [plain, unit] = await withContext(model, options, async (context) => [
      await context.embed(input, { normalize: false }),
      await context.embed(input),
    ]);
    for (const [index, { vector }] of reference.entries()) {
      const wanted = normalized(vector, model.embeddingLength);
      const scale = Math.hypot(...vector) / Math.sqrt(vector.length / model.embeddingLength);
      expect(distance(plain?.[index] ?? [], vector)).toBeLessThan(NEAR * scale);
      expect(distance(unit?.[index] ?? [], wanted)).toBeLessThan(NEAR);
    }
  });

  // Of one text the batch is the reference's: all that differs is how the vector is normalized.
  test("the demo model as it is, one text at a time", async () => {
    const input = texts(30);
    const reference = await referenceEmbeddings(MODEL, input, pooling);
    await withContext(demo, { pooling }, async (context) => {
      for (const [index, { vector }] of reference.entries()) {
        const wanted = normalized(vector, demo.embeddingLength);
        const [found] = await context.embed([input[index] as string]);
        expect(distance(found as Float32Array, wanted)).toBeLessThan(NEAR);
      }
    });
  });
});

test("control vectors are refused where its graph does not add them", async () => {
  const path = join(directory, "directions.gguf");
  const shape = [bert.embeddingLength];
  const values = new Float32Array(bert.embeddingLength).fill(1);
  const metadata = { "general.architecture": "controlvector" };
  writeGguf(path, metadata, [{ name: "direction.1", shape, values }]);
  await expect(
    bert.createContext({ embeddings: true, controlVectors: [{ path }] }),
  ).rejects.toEqual(code("ERR_UNSUPPORTED"));
  const context = await llama.createContext({ embeddings: true, controlVectors: [{ path }] });
  await context.dispose();
});

describe("T5", () => {
  test.each(["mean", "none"] as const)("its encoder alone, pooling %s", async (pooling) => {
    const file = join(directory, "t5encoder.gguf");
    writeT5(file, "t5encoder");
    const input = texts(20);
    const reference = await referenceEmbeddings(file, input, pooling, "f32");
    const model = await Model.load(file);
    const found = await withContext(model, { pooling, ...UNROUNDED }, (context) =>
      context.embed(input),
    );
    for (const [index, { vector }] of reference.entries()) {
      const wanted = normalized(vector, model.embeddingLength);
      expect(distance(found[index] as Float32Array, wanted)).toBeLessThan(NEAR);
    }
    await model.dispose();
  });

  test("with its decoder is ERR_UNSUPPORTED", async () => {
    const file = join(directory, "t5.gguf");
    writeT5(file, "t5");
    const model = await Model.load(file);
    for (const options of [{ embeddings: true }, {}]) {
      await expect(model.createContext(options)).rejects.toEqual(code("ERR_UNSUPPORTED"));
    }
    await model.dispose();
  });
});

describe("rank", () => {
  const query = "the small llama lives";
  const documents = texts(40).filter((text) => text !== "");

  test("is the classifier's score of each pair, as a plain loop has it", async () => {
    const model = await Model.load(rankFile);
    const pairs = documents.flatMap((document) => [query, document]);
    const reference = await referenceEmbeddings(rankFile, pairs, "rank", "f32");
    await withContext(model, UNROUNDED, async (context) => {
      expect(context.pooling).toBe("rank");
      const scores = await context.rank(query, documents);
      expect(scores).toBeInstanceOf(Float32Array);
      const wanted = reference.map(({ vector }) => vector[0] as number);
      expect(distance(scores, wanted)).toBeLessThan(NEAR);
      expect(new Set(scores.map((score) => Math.fround(score))).size).toBeGreaterThan(20);
      expect(await context.rank(query, [])).toEqual(new Float32Array());
      await expect(context.embed("a")).rejects.toEqual(code("ERR_UNSUPPORTED"));
    });
    await model.dispose();
  });

  test("follows the template in the model's file, and its texts stay text", async () => {
    const file = join(directory, "template.gguf");
    writeBert(file, {
      pooling: 4,
      ranks: true,
      metadata: { "tokenizer.chat_template.rerank": "[CLS]a {query}[SEP]the {document}s" },
    });
    const [model, plain] = await Promise.all([Model.load(file), Model.load(rankFile)]);
    const query = "llama";
    const documents = ["small alpaca", "small [SEP] alpaca", "{query}"];
    const scores = await withContext(model, UNROUNDED, (context) => context.rank(query, documents));
    // What is in front of a query or a document there, is of its text here.
    const wanted = await withContext(plain, UNROUNDED, (context) =>
      context.rank(
        `a ${query}`,
        documents.map((document) => `the ${document}s`),
      ),
    );
    expect(distance(scores, wanted)).toBeLessThan(NEAR);
    expect(new Set(scores).size).toBe(documents.length);
    await Promise.all([model.dispose(), plain.dispose()]);
  });

  test("of a model without a classifier is ERR_UNSUPPORTED", async () => {
    for (const model of [llama, bert]) {
      const opening = model.createContext({ embeddings: true, pooling: "rank" });
      await expect(opening).rejects.toEqual(code("ERR_UNSUPPORTED"));
    }
    await withContext(bert, {}, async (context) => {
      await expect(context.rank("a", ["b"])).rejects.toEqual(code("ERR_UNSUPPORTED"));
    });
  });
});

describe("texts", () => {
  test("of all lengths share batches", async () => {
    await withContext(demo, {}, async (context) => {
      const input = texts(200);
      await context.embed(input);
      const { batches, decodedTokens } = context.stats;
      expect(decodedTokens / batches).toBeGreaterThan(300);
      expect(context.stats).toMatchObject({ activeGenerations: 0, queuedGenerations: 0 });
    });
  });

  test("one alone gives its vector, an array of one an array of one, none none", async () => {
    await withContext(bert, {}, async (context) => {
      const alone = await context.embed("llama");
      expect(alone).toBeInstanceOf(Float32Array);
      expect(alone).toHaveLength(bert.embeddingLength);
      expect(Math.hypot(...alone)).toBeCloseTo(1, 5);
      expect(await context.embed(["llama"])).toEqual([alone]);
      expect(await context.embed([])).toEqual([]);
    });
  });

  test("that are too long are errors that name the limit and the text", async () => {
    const long = wordsText(new Random(3), TINY_CONTEXT);
    await withContext(bert, {}, async (context) => {
      await expect(context.embed(long)).rejects.toMatchObject({
        code: "ERR_CONTEXT_FULL",
        message: expect.stringContaining(String(TINY_CONTEXT)),
      });
      await expect(context.embed(["a", long])).rejects.toMatchObject({
        code: "ERR_CONTEXT_FULL",
        message: expect.stringContaining("input[1]"),
        details: { index: 1 },
      });
      expect(await context.embed("a")).toHaveLength(bert.embeddingLength);
    });
    await withContext(llama, { contextSize: 16 }, async (context) => {
      await expect(context.embed(long)).rejects.toEqual(code("ERR_CONTEXT_FULL"));
      expect(await context.embed("a")).toHaveLength(llama.embeddingLength);
    });
  });

  test("with halves of surrogate pairs are read as with U+FFFD", async () => {
    await withContext(demo, {}, async (context) => {
      const [half, replaced] = await context.embed(["a\ud83e b", "a\ufffd b"]);
      expect(half).toEqual(replaced);
    });
  });

  test("cannot become control tokens", async () => {
    await withContext(bert, { pooling: "none" }, async (context) => {
      const [named, plain] = await context.embed(["[MASK]", "a"]);
      expect((named as Float32Array).length).toBeGreaterThan((plain as Float32Array).length);
    });
  });
});

describe("a context", () => {
  test("has the pooling of the model's file, else the mean", async () => {
    await withContext(bert, {}, async ({ pooling, contextSize, sequences }) => {
      expect([pooling, contextSize, sequences]).toEqual(["cls", TINY_CONTEXT, 64]);
    });
    await withContext(llama, {}, async ({ pooling }) => expect(pooling).toBe("mean"));
  });

  test("for embeddings does not generate, and one that generates does not embed", async () => {
    await withContext(llama, {}, async (context) => {
      expect(() => context.generate("a")).toThrow(code("ERR_UNSUPPORTED"));
      expect(() => context.generateMany([])).toThrow(code("ERR_UNSUPPORTED"));
      await expect(context.score("a", [1])).rejects.toEqual(code("ERR_UNSUPPORTED"));
      await expect(context.createSequence()).rejects.toEqual(code("ERR_UNSUPPORTED"));
    });
    const context = await llama.createContext({ contextSize: 64 });
    expect(context.pooling).toBeNull();
    await expect(context.embed("a")).rejects.toEqual(code("ERR_UNSUPPORTED"));
    await expect(context.rank("a", ["b"])).rejects.toEqual(code("ERR_UNSUPPORTED"));
    expect(() => context.embedMany(["a"])).toThrow(code("ERR_UNSUPPORTED"));
    await context.dispose();
  });

  test("of an encoder needs `embeddings`, and no more positions than it has", async () => {
    const generating = bert.createContext();
    await expect(generating).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining("embeddings: true"),
    });
    const larger = bert.createContext({ embeddings: true, contextSize: TINY_CONTEXT + 1 });
    await expect(larger).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  });
});
