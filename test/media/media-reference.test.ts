import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, Model, type Prompt, Sampler } from "../../lib/index.js";
import { mediaReference, type ReferencePart } from "../support/media-reference.js";
import { writeRandomModel } from "../support/random-model.js";
import { stripes, wav } from "../support/tiny-media.js";
import {
  SLICE_TOKENS,
  writeGemma3,
  writeIdefics,
  writeLlava,
  writeQwen2Vl,
  writeSeeingModel,
  writeUltravox,
} from "../support/tiny-projectors.js";

const MAX_TOKENS = 12;
const BEFORE = [7, 11, 13, 17, 19];
const AFTER = [23, 29, 31];
const QUESTION = [37, 41];

let directory: string;
const at = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cria-media-"));
  await writeRandomModel(at("model.gguf"), 3);
  writeSeeingModel(at("mrope.gguf"), "qwen2vl");
  writeSeeingModel(at("sliced.gguf"), "llama", SLICE_TOKENS);
  writeLlava(at("llava.gguf"));
  writeIdefics(at("idefics.gguf"));
  writeGemma3(at("gemma3.gguf"));
  writeQwen2Vl(at("qwen2vl.gguf"));
  writeUltravox(at("ultravox.gguf"));
  writeFileSync(at("small.png"), stripes(60, 40, 90));
  writeFileSync(at("large.png"), stripes(220, 120, 200));
  writeFileSync(at("sound.wav"), wav(1.5, 440));
});

afterAll(() => rmSync(directory, { recursive: true }));

async function generated(context: Context, prompt: Prompt) {
  const options = { sampler: Sampler.greedy(), maxTokens: MAX_TOKENS };
  const { tokens, stopToken, usage } = await context.generateText(prompt, options);
  return { tokens: [...tokens, ...(stopToken === null ? [] : [stopToken])], usage };
}

const promptOf = (parts: readonly ReferencePart[]): Prompt =>
  parts.map((part) => ("image" in part || "audio" in part ? part : { tokens: part }));

const KINDS: [string, string, string, (path: typeof at) => readonly ReferencePart[]][] = [
  ["LLaVA", "model", "llava", (at) => [BEFORE, { image: at("small.png") }, AFTER]],
  [
    "two pictures with nothing between them",
    ...(["model", "llava"] as const),
    (at) => [[5], { image: at("small.png") }, { image: at("large.png") }, AFTER],
  ],
  [
    "a prompt that begins with a picture",
    ...(["model", "llava"] as const),
    (at) => [{ image: at("large.png") }, BEFORE, { image: at("small.png") }, [3]],
  ],
  ["slices (Idefics 3)", "sliced", "idefics", (at) => [BEFORE, { image: at("large.png") }, AFTER]],
  [
    "rows that attend to each other (Gemma 3)",
    ...(["model", "gemma3"] as const),
    (at) => [BEFORE, { image: at("small.png") }, AFTER],
  ],
  [
    "M-RoPE (Qwen2-VL)",
    ...(["mrope", "qwen2vl"] as const),
    (at) => [BEFORE, { image: at("large.png") }, AFTER, { image: at("small.png") }, AFTER],
  ],
  ["sound (Ultravox)", "model", "ultravox", (at) => [BEFORE, { audio: at("sound.wav") }, AFTER]],
];

test.each(KINDS)("%s: as a plain loop over mtmd.h", async (_, model, projector, parts) => {
  const whole = parts(at);
  const files = [at(`${model}.gguf`), at(`${projector}.gguf`)] as const;
  const expected = await mediaReference(...files, whole, ["--n", String(MAX_TOKENS)]);
  const loaded = await Model.load(files[0], { projector: files[1] });
  try {
    const context = await loaded.createContext({ contextSize: 2048, sequences: 2, threads: 2 });
    const first = await generated(context, promptOf(whole));
    expect(first.tokens).toEqual(expected.tokens);
    expect(first.usage.promptTokens).toBe(expected.promptTokens);
    expect(first.usage.cachedTokens).toBe(0);
    // Found in the cache, all but what has to be evaluated again.
    const second = await generated(context, promptOf(whole));
    expect(second.tokens).toEqual(expected.tokens);
    expect(second.usage.cachedTokens).toBe(expected.promptTokens - 1);
    // Another question behind the same media.
    const asked = [...whole.slice(0, -1), QUESTION];
    const answer = await mediaReference(...files, asked, ["--n", String(MAX_TOKENS)]);
    const third = await generated(context, promptOf(asked));
    expect(third.tokens).toEqual(answer.tokens);
    expect(third.usage.cachedTokens).toBe(answer.promptTokens - QUESTION.length);
  } finally {
    await loaded.dispose();
  }
});
