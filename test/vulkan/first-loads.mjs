// The first thing that the process does with its devices is done by three at once.
import { Model, Sampler } from "../../dist/index.js";

const path = process.env.CRIA_TEST_MODEL;
const models = await Promise.all([path, path, path].map((file) => Model.load(file)));
const contexts = await Promise.all(models.map((model) => model.createContext({ contextSize: 64 })));
const options = { sampler: Sampler.greedy(), maxTokens: 4 };
const results = await Promise.all(
  contexts.map((context) => context.generate("The", options).result()),
);
if (new Set(results.map(({ text }) => text)).size !== 1) throw new Error("not the same text");
await Promise.all(models.map((model) => model.dispose()));
