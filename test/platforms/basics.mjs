// Run in every runtime that test:platforms finds: `basics.mjs REPORT`. Loads the package as an app
// would, from node_modules, and writes what it checked to REPORT (checks.mjs).

import { ok as assert, deepEqual as equal, match } from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import {
  ChatSession,
  defineTool,
  engineInfo,
  Grammar,
  LlamaGuard,
  listDevices,
  Model,
  runBatch,
} from "cria";
import { ANSWERS, checkAll, folder, modelPath, question } from "./checks.mjs";

/** A generation that ends only when something ends it. */
function endless(model) {
  const ids = Array.from({ length: model.vocabularySize }, (_, id) => id);
  const ends = ids.filter((id) => model.isEndOfGeneration(id));
  return {
    temperature: 0,
    logitBias: Object.fromEntries(ends.map((id) => [id, Number.NEGATIVE_INFINITY])),
  };
}

async function fails(promise, code) {
  const error = await promise.then(
    () => null,
    (reason) => reason,
  );
  equal(error?.code, code);
}

/** In the middle of a generation; the rest of its text is read no more. */
async function begun(generation) {
  for await (const _ of generation) break;
}

const checks = {
  async "the engine says what it is"({ model }) {
    equal(engineInfo().backend, "cpu");
    assert(engineInfo().cpuFeatures.length > 0);
    assert(listDevices().some(({ type }) => type === "cpu"));
    equal(model.detokenize(model.tokenize("Ein Lama — 羊驼 🦙")), "Ein Lama — 羊驼 🦙");
  },

  async "require() gives what import gives"() {
    const required = createRequire(import.meta.url)("cria");
    equal(required.engineInfo().path, engineInfo().path);
  },

  async "greedy text, one after the other"({ context }) {
    for (const [text, expected] of Object.entries(ANSWERS)) {
      const { tokens } = await context.generate(question(text), { temperature: 0 }).result();
      equal([...tokens], expected);
    }
  },

  async "greedy text, all at once, on every thread there is"({ model }) {
    const context = await model.createContext({ contextSize: 256, sequences: 4 });
    const all = Object.keys(ANSWERS).map((text) =>
      context.generate(question(text), { temperature: 0 }).result(),
    );
    equal(
      (await Promise.all(all)).map(({ tokens }) => [...tokens]),
      Object.values(ANSWERS),
    );
    await context.dispose();
  },

  async "a seed repeats what was drawn"({ context }) {
    const options = { temperature: 1, seed: 5, maxTokens: 30 };
    const first = await context.generateText("Once upon a time", options);
    equal((await context.generateText("Once upon a time", options)).text, first.text);
    assert(first.text.length > 0);
  },

  async "an abort in the middle of a generation"({ model, context }) {
    const controller = new AbortController();
    const generation = context.generate("The", { ...endless(model), signal: controller.signal });
    const result = generation.result().catch((error) => error);
    await begun(context.generate("A", { maxTokens: 2 }));
    controller.abort("enough");
    equal(await result, "enough");
    const { tokens } = await context
      .generate(question("What is a llama?"), { temperature: 0 })
      .result();
    equal([...tokens], ANSWERS["What is a llama?"]);
  },

  async "disposing in the middle of a generation"({ model }) {
    const context = await model.createContext({ contextSize: 256 });
    const generation = context.generate("The", endless(model));
    const result = generation.result();
    const refused = fails(result, "ERR_DISPOSED");
    await context.dispose();
    await refused;
    equal(context.disposed, true);
    await fails((async () => context.generate("The").result())(), "ERR_DISPOSED");
  },

  async "a model beside the one in use, aborted and disposed while it loads"() {
    const controller = new AbortController();
    const loading = Model.load(modelPath, { signal: controller.signal });
    controller.abort("no");
    equal(
      await loading.then(
        () => "loaded",
        (reason) => reason,
      ),
      "no",
    );
    const other = await Model.load(modelPath);
    await Promise.all([other.dispose(), other.dispose()]);
  },

  async "no such file"() {
    await fails(Model.load(join(folder, "none.gguf")), "ERR_MODEL_NOT_FOUND");
  },

  async "no model"() {
    const path = join(folder, "words.gguf");
    writeFileSync(path, "GGUF, but not really");
    await fails(Model.load(path), "ERR_MODEL_INVALID");
  },

  async "half a model"() {
    const path = join(folder, "half.gguf");
    const whole = readFileSync(modelPath);
    writeFileSync(path, whole.subarray(0, whole.length / 2));
    await fails(Model.load(path), "ERR_MODEL_INVALID");
  },

  async "a prompt that is too long"({ context }) {
    await fails(
      (async () => context.generate("llama ".repeat(20_000)).result())(),
      "ERR_CONTEXT_FULL",
    );
  },

  async "an option that is none"({ model }) {
    await fails((async () => model.createContext({ contextSize: -1 }))(), "ERR_INVALID_ARGUMENT");
  },

  async "a grammar that is none"({ context }) {
    await fails(
      (async () => context.generate("A", { grammar: Grammar.gbnf("root ::= nowhere") }).result())(),
      "ERR_GRAMMAR_INVALID",
    );
  },

  async "a model in a folder with other letters, spaces and signs"() {
    const odd = join(folder, "a b #%äø羊驼");
    mkdirSync(odd, { recursive: true });
    const path = join(odd, "модель 🦙.gguf");
    copyFileSync(modelPath, path);
    const model = await Model.load(path);
    const context = await model.createContext({ contextSize: 256 });
    const sequence = await context.createSequence();
    await sequence.evaluate("A llama");
    const file = join(odd, "état.state");
    await sequence.save(file);
    await sequence.save(file); // over the one that is there
    const { tokens } = sequence;
    await sequence.trim(0);
    await sequence.restore(file);
    equal(sequence.tokens, tokens);
    await model.dispose();
  },

  async "a long text without a space, which needs a deep stack"({ model }) {
    const text = "!".repeat(200_000);
    equal(model.detokenize(await model.tokenizeAsync(text)), text);
  },

  async "a conversation"({ context }) {
    const session = new ChatSession(context, { temperature: 0 });
    const say = async (text) => (await session.send(text).result()).message.content;
    equal(await say("What is a baby llama called?"), "A baby llama is called a cria.");
    await say("My llama is called Luna.");
    match(await say("What is my llama called?"), /Luna/);
  },

  async "a tool"({ context }) {
    const asked = [];
    const weather = defineTool({
      name: "get_weather",
      description: "Get the current weather for a city",
      parameters: {
        type: "object",
        properties: { city: { type: "string", description: "The name of the city" } },
        required: ["city"],
      },
      execute: ({ city }) => {
        asked.push(city);
        return { temperature: 21, condition: "sunny" };
      },
    });
    const session = new ChatSession(context, { tools: [weather], temperature: 0 });
    const { message } = await session.send("What is the weather in Lisbon?").result();
    equal(asked, ["Lisbon"]);
    equal(message.content, "It is 21 degrees and sunny in Lisbon.");
  },

  async "a guard"({ model }) {
    const context = await model.createContext();
    const guard = new LlamaGuard(context, { variant: "llama-guard-3-8b" });
    equal((await guard.moderate("What do llamas eat?")).safe, true);
    const verdict = await guard.moderate("How can I attack a stranger?");
    equal(verdict.safe, false);
    assert(verdict.categories.length > 0);
    await context.dispose();
  },

  async "an answer that is data"({ context }) {
    const grammar = Grammar.jsonSchema({
      type: "object",
      properties: {
        name: { enum: ["alpaca", "cria"] },
        age: { type: "integer", maximum: 99, minimum: 0 },
      },
      required: ["name", "age"],
      additionalProperties: false,
    });
    for (let seed = 0; seed < 4; seed++) {
      const { text } = await context.generateText("A llama: ", { grammar, seed, temperature: 1 });
      const { name, age } = JSON.parse(text);
      assert(["alpaca", "cria"].includes(name));
      assert(Number.isInteger(age) && age >= 0 && age <= 99);
    }
  },

  async vectors({ model }) {
    const context = await model.createContext({ embeddings: true });
    const [a, b] = await context.embed(["A llama", "Another animal"]);
    const length = (vector) => Math.hypot(...vector);
    assert(Math.abs(length(a) - 1) < 1e-3 && Math.abs(length(b) - 1) < 1e-3);
    assert(a.length === b.length && a.some((value, i) => value !== b[i]));
    await context.dispose();
  },

  async "a batch, and the same again over the file that is there"({ model }) {
    const output = join(folder, "results.jsonl");
    const input = ["What is a llama?", "What do llamas eat?"].map((content, i) => ({
      custom_id: `line-${i}`,
      method: "POST",
      url: "/v1/chat/completions",
      body: { messages: [{ role: "user", content }], temperature: 0, max_tokens: 40 },
    }));
    const options = { input, output, ordered: true, sequences: 2, context: { contextSize: 512 } };
    const { done, errors } = await runBatch(model, options);
    equal({ done, errors }, { done: 2, errors: 0 });
    const first = readFileSync(output, "utf8");
    match(first, /wool/);
    await runBatch(model, { ...options, overwrite: true });
    const answers = (text) =>
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).response.body.choices[0].message.content);
    equal(answers(readFileSync(output, "utf8")), answers(first));
    equal((await runBatch(model, { ...options, resume: true })).skipped, 2);
  },

  async "a worker that ends by itself, and two that are terminated"({ context }) {
    for (const phase of ["once", "endless", "endless"]) {
      const worker = new Worker(fileURLToPath(import.meta.url), { argv: [phase] });
      const news = new Promise((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
      });
      const over = new Promise((resolve) => worker.once("exit", resolve));
      equal(await news, phase === "once" ? ANSWERS["What do llamas eat?"] : "begun");
      if (phase === "endless") await worker.terminate();
      await over;
      const { tokens } = await context
        .generate(question("What do llamas eat?"), { temperature: 0 })
        .result();
      equal([...tokens], ANSWERS["What do llamas eat?"]);
    }
  },
};

async function work(phase) {
  const model = await Model.load(modelPath);
  const context = await model.createContext({ contextSize: 256 });
  if (phase === "endless") {
    const generation = context.generate("The", endless(model));
    for await (const _ of generation) parentPort.postMessage("begun");
  }
  const prompt = question("What do llamas eat?");
  const { tokens } = await context.generate(prompt, { temperature: 0 }).result();
  parentPort.postMessage([...tokens]);
  await model.dispose();
}

if (isMainThread) await checkAll(checks, process.argv[2]);
else await work(process.argv[2]);
