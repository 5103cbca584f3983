// Damaged model files: each must load or be refused with a code, and what loads must be usable.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CriaError, Model, Sampler } from "../../dist/index.js";

const [, , directory, kind] = process.argv;
const original = await readFile(process.env.CRIA_TEST_MODEL);
const path = join(directory, `${kind}.gguf`);

/** The same every time. */
function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function flipped(seed, from, to, count) {
  const next = random(seed);
  const bytes = Buffer.from(original);
  for (let i = 0; i < count; i++) {
    const at = from + Math.floor(next() * (to - from));
    bytes[at] ^= 1 + Math.floor(next() * 255);
  }
  return bytes;
}

const header = 24; // magic, version, and the counts of tensors and pairs
const metadata = original.indexOf("token_embd.weight");
const variants = {
  *truncated() {
    for (const size of [1, 3, 4, 8, 23, 24, 25, 100, 1000, metadata, metadata + 40]) {
      yield original.subarray(0, size);
    }
    for (let part = 1; part < 20; part++) {
      yield original.subarray(0, Math.floor((original.length * part) / 20));
    }
    yield original.subarray(0, original.length - 1);
  },
  *header() {
    for (let at = 0; at < header; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const bytes = Buffer.from(original);
        bytes[at] = value;
        yield bytes;
      }
    }
  },
  *metadata() {
    for (let seed = 0; seed < 120; seed++) yield flipped(seed, header, metadata, 1 + (seed % 4));
  },
  *names() {
    for (let seed = 0; seed < 60; seed++)
      yield flipped(seed, metadata, metadata + 2000, 1 + (seed % 3));
  },
  *tensors() {
    for (let seed = 0; seed < 20; seed++) {
      yield flipped(seed, metadata + 4000, original.length, 10 ** (1 + (seed % 4)));
    }
  },
};

async function use(model) {
  model.detokenize(model.tokenize("The llama <|eot_id|>", { special: true }));
  const context = await model.createContext({ contextSize: 64 });
  for (const sampler of [Sampler.greedy(), new Sampler({ seed: 1, penalties: { repeat: 1.1 } })]) {
    await context.generate("The llama", { sampler, maxTokens: 4 }).result();
  }
}

let refused = 0;
for (const bytes of variants[kind]()) {
  await writeFile(path, bytes);
  for (const mmap of [true, false]) {
    let model;
    try {
      model = await Model.load(path, { mmap });
      await use(model);
    } catch (error) {
      if (!CriaError.is(error) || error.code === "ERR_INTERNAL") throw error;
      refused++;
    } finally {
      await model?.dispose();
    }
  }
}
if (kind === "truncated" && refused !== 62) throw new Error(`${refused} of 62 were refused`);
