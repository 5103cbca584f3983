import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Context, Model } from "../../lib/index.js";
import { CriaEmbeddings } from "../../lib/langchain/langchain.js";
import { writeBert } from "../support/tiny-models.js";

let directory: string;
let model: Model;
let context: Context;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-langchain-"));
  const file = join(directory, "bert.gguf");
  writeBert(file, { pooling: 2 });
  model = await Model.load(file);
  context = await model.createContext({ embeddings: true });
});
afterAll(async () => {
  await model.dispose();
  await rm(directory, { recursive: true });
});

const TEXTS = ["a llama", "an alpaca in the mountains"];

test("documents and queries have the context's vectors", async () => {
  const embeddings = new CriaEmbeddings({ context });
  const wanted = await context.embed(TEXTS);
  const vectors = await embeddings.embedDocuments(TEXTS);
  vectors.push(await embeddings.embedQuery(TEXTS[1] as string));
  for (const [index, vector] of vectors.entries()) {
    expect(Array.isArray(vector)).toBe(true);
    const other = wanted[Math.min(index, 1)] as Float32Array;
    const cosine = vector.reduce((sum, x, i) => sum + x * (other[i] as number), 0);
    expect(cosine).toBeCloseTo(1, 4);
  }
});

test("vectors may keep their length", async () => {
  const embeddings = new CriaEmbeddings({ context, normalize: false });
  const [vector] = await embeddings.embedDocuments(TEXTS);
  expect(Math.abs(Math.hypot(...(vector as number[])) - 1)).toBeGreaterThan(0.01);
});

test("what it is given is checked", () => {
  expect(() => new CriaEmbeddings({ context: {} as never })).toThrow(/a Context/);
  expect(() => new CriaEmbeddings({ context, normalize: 1 as never })).toThrow(/boolean/);
});
