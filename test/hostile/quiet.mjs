// Uses everything and provokes every kind of error: not a word of it may reach stdout or stderr.
import { join } from "node:path";
import * as cria from "../../dist/index.js";

const { Model, Sampler, Grammar } = cria;
const path = process.env.CRIA_TEST_MODEL;
const swallow = () => {};

cria.engineInfo();
cria.listDevices();
for (const wrong of [
  join(path, "x"),
  `${path}.missing`,
  import.meta.filename ?? process.argv[1],
  ".",
]) {
  await Model.load(wrong).catch(swallow);
}
const model = await Model.load(path, { onProgress: swallow, checkTensors: true, mmap: false });
await model.createContext({ contextSize: 2 ** 30 }).catch(swallow);
await model.createContext({ kvCacheType: "q4_0" }).then((context) => context.dispose(), swallow);
const context = await model.createContext({
  contextSize: 64,
  sequences: 3,
  kvCache: "unified",
});
const grammar = Grammar.gbnf('root ::= "a" [0-9]{2} | "b"');
for (const source of ["root ::=", "root ::= root", "x ::= y", "root ::= [", '"']) {
  try {
    Grammar.gbnf(source);
  } catch {}
}
const samplers = [
  Sampler.greedy(),
  new Sampler({ grammar }),
  new Sampler({ penalties: { repeat: 2 } }),
];
const signal = AbortSignal.timeout(15);
await Promise.allSettled([
  ...samplers.map((sampler) => context.generate("The llama", { sampler }).result()),
  ...samplers.map((sampler) => context.generate("The llama", { sampler, signal }).result()),
  context.generate("llama ".repeat(100)).result(),
]);
context.generate("left behind");
await context.dispose();
await Model.load(path); // for the collector, or the end of the process
