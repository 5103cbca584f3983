// The GPU fails in the phase that argv[2] names, as argv[3] says: "memory" is exhausted, or it is "lost"
// (failing-driver.c). Prints what became of it.
import { rmSync, writeFileSync } from "node:fs";
import { Model } from "../../dist/index.js";

const [phase, fault] = process.argv.slice(2);
const path = process.env.CRIA_TEST_MODEL;
const file = process.env.CRIA_TEST_VULKAN_FAULT;
const fail = () => writeFileSync(file, fault);
const mend = () => rmSync(file, { force: true });
// Longer than what a context is warmed up with, so that it needs other buffers.
const prompt = new Int32Array(700).fill(5);

const outcome = (promise) =>
  promise.then(
    (value) => ({ value }),
    (error) => ({ code: error.code ?? String(error), message: error.message }),
  );
const generate = (context) => outcome(context.generate(prompt, { maxTokens: 8 }).result());
const told = ({ code, message, value }) => ({ code, message, text: value?.text });

const options = { contextSize: 1024 };
let model;
let context;
if (phase !== "load") model = await Model.load(path);
if (phase === "decode") context = await model.createContext(options);

fail();
let failed;
if (phase === "load") failed = await outcome(Model.load(path));
else if (phase === "open") failed = await outcome(model.createContext(options));
else failed = await generate(context);

const again = context && (await generate(context)); // it is as it was told
await context?.dispose();
mend();
// A lost device stays lost.
model ??= (await outcome(Model.load(path))).value;
const next = model ? await outcome(model.createContext(options)) : failed;
const after = next.value ? await generate(next.value) : next;
await model?.dispose();
console.log(
  JSON.stringify({ failed: told(failed), again: again && told(again), after: told(after) }),
);
