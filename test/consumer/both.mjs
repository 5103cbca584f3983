// import and require give the same classes: what one made works in the other, and `instanceof` knows it.
import { createRequire } from "node:module";
import * as esm from "cria";
import { createCria } from "cria/ai-sdk";
import * as electron from "cria/electron";
import { serve } from "cria/electron/server";
import { createServer } from "cria/server";

const require = createRequire(import.meta.url);
const cjs = require("cria");
if (cjs.Model !== esm.Model) throw new Error("there are two copies");
if (electron.CriaError !== esm.CriaError) throw new Error("there are two copies of CriaError");
if (require("cria/ai-sdk").createCria !== createCria) throw new Error("two of cria/ai-sdk");
if (require("cria/electron").connect !== electron.connect) throw new Error("two of cria/electron");
if (require("cria/electron/server").serve !== serve) throw new Error("two of its server");
if (require("cria/server").createServer !== createServer) throw new Error("two of cria/server");

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
