import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CriaError, type LoadModelOptions, Model, Sampler } from "../../lib/index.js";
import { question } from "../support/demo.js";
import { llamaCppDir } from "../support/llama-cpp-dir.js";
import { MODEL } from "../support/paths.js";

const code = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-model-"));
});
afterAll(() => rm(directory, { recursive: true }));

describe("a loaded model", () => {
  let model: Model;
  beforeAll(async () => {
    model = await Model.load(MODEL);
  });
  afterAll(() => model.dispose());

  test("knows what is in the file", async () => {
    expect(model.path).toBe(MODEL);
    expect(model.architecture).toBe("llama");
    expect(model.description).toMatch(/^llama [\d.]+[MB] /);
    expect(model.parameterCount).toBeGreaterThan(100_000);
    const { size } = await stat(MODEL);
    expect(model.sizeInBytes).toBeGreaterThan(size * 0.9);
    expect(model.sizeInBytes).toBeLessThanOrEqual(size);
    expect(model.contextLength).toBe(Number(model.metadata.get("llama.context_length")));
    expect(model.embeddingLength).toBe(Number(model.metadata.get("llama.embedding_length")));
    expect(model.layerCount).toBe(Number(model.metadata.get("llama.block_count")));
    expect(model.vocabularySize).toBe(Number(model.metadata.get("llama.vocab_size")));
    expect(model.chatTemplate).toBe(model.metadata.get("tokenizer.chat_template"));
    expect(model.chatTemplate).toContain("<|start_header_id|>");
    expect(model.disposed).toBe(false);
  });

  test("has a fingerprint: of the weights, not of the file's name or the way it is loaded", async () => {
    const fingerprintOf = async (path: string, options?: LoadModelOptions) => {
      await using loaded = await Model.load(path, options);
      return loaded.fingerprint;
    };
    expect(model.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    const copy = join(directory, "copy.gguf");
    await copyFile(MODEL, copy);
    expect(await fingerprintOf(copy, { vocabOnly: true })).toBe(model.fingerprint);
    expect(await fingerprintOf(copy, { mmap: false })).toBe(model.fingerprint);
    const bytes = await readFile(MODEL);
    for (const place of [0.4, 0.7, 0.99]) {
      const other = Buffer.from(bytes);
      for (let at = Math.floor(bytes.length * place); at < other.length; at += 5000) {
        other[at] = (other[at] as number) ^ 1;
      }
      await writeFile(copy, other);
      expect(await fingerprintOf(copy)).not.toBe(model.fingerprint);
    }
  });

  test("names its special tokens", () => {
    const { bos, eos, eot, eom } = model.specialTokens;
    for (const id of [bos, eos, eot, eom]) {
      expect(Number.isInteger(id) && (id as number) < model.vocabularySize).toBe(true);
    }
    expect(model.detokenize([bos as number], { special: true })).toBe("<|begin_of_text|>");
    expect(model.detokenize([eot as number], { special: true })).toBe("<|eot_id|>");
    expect(model.detokenize([eom as number], { special: true })).toBe("<|eom_id|>");
  });

  test("serves several contexts at the same time", async () => {
    const contexts = await Promise.all([1, 2, 3].map(() => model.createContext()));
    const sampler = Sampler.greedy();
    const texts = await Promise.all(
      contexts.map(async (context) => {
        const { text } = await context
          .generate(question("Hi"), { sampler, maxTokens: 12 })
          .result();
        return text;
      }),
    );
    expect(new Set(texts).size).toBe(1);
    await Promise.all(contexts.map((context) => context.dispose()));
  });

  test("refuses a context that cannot fit, with the figures, before anything is allocated", async () => {
    const failed = model.createContext({ contextSize: 2 ** 30 });
    await expect(failed).rejects.toEqual(code("ERR_OUT_OF_MEMORY", /1073741824 cells takes .* GB/));
    await expect(failed).rejects.toMatchObject({ details: { cells: 2 ** 30 } });
  });

  test("has the context's documented defaults", async () => {
    const context = await model.createContext();
    expect(context.model).toBe(model);
    expect(context.contextSize).toBe(Math.min(model.contextLength, 8192));
    expect(context.sequences).toBe(1);
    expect(context.batchSize).toBeGreaterThan(0);
    await context.dispose();
  });
});

describe("load", () => {
  test("reports rising progress during the load, ending with 1", async () => {
    const seen: number[] = [];
    let loaded = false;
    let late = 0;
    const onProgress = (fraction: number) => {
      seen.push(fraction);
      if (loaded) late++;
    };
    const model = await Model.load(MODEL, { onProgress });
    loaded = true;
    // How many there are is a matter of time: one stands for all that came before JavaScript was there.
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
    await model.dispose();
    expect(late).toBe(0);
  });

  test("fails with what onProgress throws, wherever it throws", async () => {
    for (const limit of [0, 0.5, 1]) {
      const thrown = new Error(`at ${limit}`);
      const loading = Model.load(MODEL, {
        onProgress: (fraction) => {
          if (fraction >= limit) throw thrown;
        },
      });
      await expect(loading).rejects.toBe(thrown);
    }
  });

  test("rejects with the signal's reason, aborted before or during", async () => {
    const before = AbortSignal.abort("before");
    await expect(Model.load(MODEL, { signal: before })).rejects.toBe("before");
    const during = new AbortController();
    const loading = Model.load(MODEL, {
      signal: during.signal,
      onProgress: (fraction) => {
        if (fraction > 0) during.abort("during");
      },
    });
    await expect(loading).rejects.toBe("during");
    const soon = new AbortController();
    const started = Model.load(MODEL, { signal: soon.signal });
    soon.abort("soon");
    await expect(started).rejects.toBe("soon");
  });

  test("leaves no listener on the signal", async () => {
    const { signal } = new AbortController();
    const add = jest.spyOn(signal, "addEventListener");
    const remove = jest.spyOn(signal, "removeEventListener");
    const model = await Model.load(MODEL, { signal, vocabOnly: true });
    await expect(Model.load(`${MODEL}.missing`, { signal })).rejects.toThrow();
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
    await model.dispose();
  });

  test.each([
    ["text", 5],
    ["nothing", undefined],
    ["the empty text", ""],
    ["a NUL", "a\0b"],
    ["half a character", "a\ud800"],
    ["a URL object", new URL("file:///x.gguf")],
  ])("refuses %s as a path", async (_, path) => {
    await expect(Model.load(path as string)).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", /`path`/),
    );
  });

  test("refuses unknown options", async () => {
    await expect(Model.load(MODEL, { gpuLayer: 1 } as object)).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", /did you mean `gpuLayers`\?/),
    );
  });

  test("refuses devices that there are not", async () => {
    await expect(Model.load(MODEL, { devices: ["no such device"] })).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", /no such device/),
    );
  });

  test("tells missing files and folders apart from wrong ones", async () => {
    const missing = join(directory, "missing.gguf");
    await expect(Model.load(missing)).rejects.toEqual(code("ERR_MODEL_NOT_FOUND", /no such file/));
    await expect(Model.load(directory)).rejects.toEqual(
      code("ERR_MODEL_NOT_FOUND", /it is a directory/),
    );
    await expect(Model.load(join(MODEL, "below"))).rejects.toEqual(code("ERR_MODEL_NOT_FOUND"));
    await expect(Model.load("/dev/null")).rejects.toEqual(
      code("ERR_MODEL_NOT_FOUND", /not a regular file/),
    );
    const text = join(directory, "text.gguf");
    await writeFile(text, "This is no model at all.\n".repeat(100));
    await expect(Model.load(text)).rejects.toEqual(code("ERR_MODEL_INVALID", /text\.gguf/));
    const empty = join(directory, "empty.gguf");
    await writeFile(empty, "");
    await expect(Model.load(empty)).rejects.toEqual(code("ERR_MODEL_INVALID", /empty\.gguf/));
  });

  test("takes any name that a file may have", async () => {
    const path = join(directory, "lláma 漢字 #1 %20 🦙.gguf");
    await copyFile(MODEL, path);
    const model = await Model.load(path, { mmap: false });
    expect(model.path).toBe(path);
    await model.dispose();
  });

  test("overrides metadata by kind", async () => {
    const metadataOverrides = { "tokenizer.ggml.eos_token_id": 0, "general.name": "other" };
    const model = await Model.load(MODEL, { vocabOnly: true, metadataOverrides });
    expect(model.specialTokens.eos).toBe(0);
    await model.dispose();
  });

  test("takes a whole number for what the file has as a float", async () => {
    const before = await Model.load(MODEL);
    const after = await Model.load(MODEL, {
      metadataOverrides: { "llama.attention.layer_norm_rms_epsilon": 1 },
    });
    const [prompt, candidates] = [question("Hi"), [...Array(64).keys()]];
    const scores = [];
    for (const model of [before, after]) {
      const context = await model.createContext({ contextSize: 64 });
      scores.push([...(await context.score(prompt, candidates))]);
      await model.dispose();
    }
    expect(scores[0]).not.toEqual(scores[1]);
  });

  test.each([
    ["general.name", 7, /a string/],
    ["llama.block_count", 2.5, /a whole number from 0 to 4294967295/],
    ["llama.block_count", -1, /a whole number/],
    ["llama.block_count", "2", /a whole number/],
    ["llama.rope.freq_base", true, /a number/],
    ["tokenizer.ggml.add_bos_token", 1, /a boolean/],
    ["tokenizer.ggml.tokens", "x", /a list in the file/],
  ])("refuses an override of another kind than the file's: %s as %j", async (key, value, what) => {
    await expect(Model.load(MODEL, { metadataOverrides: { [key]: value } })).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT", what),
    );
  });

  test("of a vocabulary gives a tokenizer, and no context", async () => {
    const model = await Model.load(MODEL, { vocabOnly: true });
    expect(model.tokenize("x").length).toBeGreaterThan(0);
    await expect(model.createContext()).rejects.toEqual(code("ERR_UNSUPPORTED", /vocabOnly/));
    await model.dispose();
  });

  test("of an embedding model's vocabulary says that it cannot generate, not less", async () => {
    const path = join(llamaCppDir(), "models", "ggml-vocab-bert-bge.gguf");
    const model = await Model.load(path, { vocabOnly: true });
    expect(model.specialTokens.eot).toBeNull();
    expect(model.chatTemplate).toBeNull();
    await model.dispose();
  });
});

describe("dispose of the model", () => {
  test("closes its contexts first, is idempotent, and refuses everything after it", async () => {
    const model = await Model.load(MODEL);
    const context = await model.createContext();
    const generation = context.generate(question("Hi"));
    const closing = model.dispose();
    expect(model.dispose()).toBe(closing);
    expect(model[Symbol.asyncDispose]()).toBe(closing);
    expect([model.disposed, context.disposed]).toEqual([true, true]);
    await expect(generation.result()).rejects.toEqual(code("ERR_DISPOSED"));
    await closing;
    expect(model.description).toMatch(/llama/); // what is known stays known
    const disposed = code("ERR_DISPOSED", /model has been disposed/);
    expect(() => model.tokenize("x")).toThrow(disposed);
    expect(() => model.detokenize([0])).toThrow(disposed);
    expect(() => model.tokenId("x")).toThrow(disposed);
    expect(() => model.isEndOfGeneration(0)).toThrow(disposed);
    await expect(model.createContext()).rejects.toEqual(disposed);
    expect(() => context.generate("x")).toThrow(code("ERR_DISPOSED"));
  });

  test("ends a context that is being created", async () => {
    const model = await Model.load(MODEL);
    const opening = model.createContext();
    const closing = model.dispose();
    await expect(opening).rejects.toEqual(code("ERR_DISPOSED"));
    await closing;
  });

  test("waits for a context that is being disposed", async () => {
    const model = await Model.load(MODEL);
    const context = await model.createContext();
    const first = context.dispose();
    await model.dispose();
    await expect(Promise.race([first, Promise.resolve("pending")])).resolves.toBeUndefined();
  });
});

test("a Model or Context cannot be made by `new`", async () => {
  expect(() => new (Model as never as new () => Model)()).toThrow(code("ERR_INVALID_ARGUMENT"));
  const model = await Model.load(MODEL);
  const context = await model.createContext();
  const Context = context.constructor as new () => unknown;
  expect(() => new Context()).toThrow(code("ERR_INVALID_ARGUMENT", /createContext/));
  await model.dispose();
});

test("a failed load has a stack that leads to the caller", async () => {
  const error = await Model.load(join(directory, "missing.gguf")).catch((e: unknown) => e);
  expect(CriaError.is(error)).toBe(true);
  expect((error as Error).stack).toContain("model.test");
});
