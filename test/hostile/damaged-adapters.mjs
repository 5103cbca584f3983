// Damaged adapters and control vectors: each must load or be refused with a code, and what loads must
// be usable. The model and the contexts that they are for go on.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CriaError, Model } from "../../dist/index.js";
import { flipped } from "./damage.mjs";

const [, , directory] = process.argv;
const lora = await readFile(join(directory, "lora.gguf"));
const control = await readFile(join(directory, "control.gguf"));
const path = join(directory, "damaged.gguf");

function* damaged(original, firstTensor, many) {
  for (const size of [0, 1, 4, 23, 24, 25, 100, firstTensor, firstTensor + 9]) {
    yield original.subarray(0, size);
  }
  for (let part = 1; part < 10; part++) {
    yield original.subarray(0, Math.floor((original.length * part) / 10));
  }
  for (let seed = 0; seed < many; seed++) {
    const names = firstTensor + 3000;
    yield flipped(original, seed, seed % 2 ? firstTensor : names, 1 + (seed % 4));
  }
  for (let seed = 0; seed < many / 10; seed++) {
    yield flipped(original, seed, original.length, 10 ** (1 + (seed % 4)));
  }
}

const refusals = { lora: 0, control: 0 };
async function attempt(kind, use) {
  try {
    await use();
  } catch (error) {
    if (!CriaError.is(error) || error.code === "ERR_INTERNAL") throw error;
    refusals[kind]++;
  }
}

const model = await Model.load(process.env.CRIA_TEST_MODEL);
const context = await model.createContext({ contextSize: 64 });
const greedy = { temperature: 0, maxTokens: 2 };
const before = await context.generateText("The llama", greedy);

for (const bytes of damaged(lora, lora.indexOf("blk.0.attn_q.weight.lora_a"), 440)) {
  await writeFile(path, bytes);
  await attempt("lora", async () => {
    const adapter = await model.loadLora(path);
    try {
      await context.generateText("The llama", { ...greedy, adapters: [{ adapter }] });
    } finally {
      await adapter.dispose();
    }
  });
}
for (const bytes of damaged(control, control.indexOf("direction.1"), 80)) {
  await writeFile(path, bytes);
  await attempt("control", async () => {
    const controlVectors = [{ path }];
    const own = await model.createContext({ contextSize: 64, controlVectors });
    try {
      await own.generateText("The llama", greedy);
    } finally {
      await own.dispose();
    }
  });
}

const after = await context.generateText("The llama", { ...greedy, cachePrompt: false });
if (after.text !== before.text) throw new Error("The context says something else now");
for (const [kind, count] of Object.entries(refusals)) {
  if (count < 20) throw new Error(`Only ${count} of the damaged files were refused: ${kind}`);
}
await model.dispose();
