// import and require give the same classes: what one made works in the other, and `instanceof` knows it.
import { createRequire } from "node:module";
import * as esm from "cria";

const cjs = createRequire(import.meta.url)("cria");
if (cjs.Model !== esm.Model) throw new Error("there are two copies");

const model = await esm.Model.load(process.env.CRIA_TEST_MODEL);
const context = await model.createContext();
const sampler = new esm.Sampler({ temperature: 0, grammar: cjs.Grammar.gbnf('root ::= "both"') });
const { text } = await context
  .generate("The", {
    sampler: new cjs.Sampler({ topK: 1 }).with({ grammar: sampler.steps[0].grammar }),
  })
  .result();
const error = await cjs.Model.load("missing.gguf").catch((reason) => reason);
await model.dispose();
console.log(
  JSON.stringify({ text, known: [esm.CriaError.is(error), error instanceof esm.CriaError] }),
);
