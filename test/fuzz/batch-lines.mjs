// Files of requests whose lines are anything: each line that is not empty has one result, in its form,
// and the run ends.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { Model, runBatch } from "../../dist/index.js";
import { demandCode, folder, fuzz, MODEL } from "./runner.mjs";

const model = await Model.load(MODEL);
const [input, output] = [join(folder, "input.jsonl"), join(folder, "output.jsonl")];

const id = fc.oneof(fc.constantFrom("a", "b", "", null), fc.string(), fc.integer());
const sampling = {
  max_tokens: fc.constantFrom(1, 2, 0, -1, "1"),
  temperature: fc.constantFrom(0, 1, -1, null),
  n: fc.constantFrom(1, 2, 0),
  stop: fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 3 })),
  seed: fc.oneof(fc.integer(), fc.double()),
  logprobs: fc.constantFrom(true, 1, false),
  unknown: fc.constant(1),
};
const message = fc.record({
  role: fc.constantFrom("user", "assistant", "system", "tool", "x"),
  content: fc.oneof(fc.string(), fc.jsonValue()),
});
const bodies = {
  "/v1/completions": fc.record(
    {
      prompt: fc.oneof(fc.string(), fc.array(fc.nat(2000), { maxLength: 5 }), fc.jsonValue()),
      ...sampling,
    },
    { requiredKeys: ["prompt", "max_tokens"] },
  ),
  "/v1/chat/completions": fc.record(
    { messages: fc.array(message, { maxLength: 3 }), ...sampling, tools: fc.jsonValue() },
    { requiredKeys: ["messages", "max_tokens"] },
  ),
  "/v1/embeddings": fc.record({
    input: fc.oneof(fc.string(), fc.array(fc.string()), fc.jsonValue()),
  }),
  "/v1/other": fc.jsonValue(),
};
const openai = fc.constantFrom(...Object.keys(bodies)).chain((url) =>
  fc.record(
    {
      custom_id: id,
      method: fc.constantFrom("POST", "GET"),
      url: fc.constant(url),
      body: bodies[url],
    },
    { requiredKeys: ["url", "body"] },
  ),
);
const simple = fc.record(
  {
    id,
    prompt: fc.oneof(fc.string(), fc.jsonValue()),
    maxTokens: fc.constantFrom(1, 2, -1, 1.5),
    topK: fc.constantFrom(1, -1, "x"),
    temprature: fc.constant(1),
  },
  { requiredKeys: ["prompt", "maxTokens"] },
);
const json = fc
  .oneof(openai, simple, fc.jsonValue())
  .map((value) => Buffer.from(JSON.stringify(value)));
const bytes = fc.oneof(
  { weight: 8, arbitrary: json },
  // Cut off, or with a byte that does not belong there.
  {
    weight: 2,
    arbitrary: fc.tuple(json, fc.nat(200), fc.nat(255)).map(([line, at, byte]) => {
      const damaged = Buffer.from(line);
      if (damaged.length > 0) damaged[at % damaged.length] = byte;
      return byte % 2 === 0 ? damaged : damaged.subarray(0, at % (damaged.length + 1));
    }),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }).map((array) => Buffer.from(array)) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("", "   ", "\ufeff{}", "[".repeat(3000))
      .map((text) => Buffer.from(text)),
  },
);
const file = fc.tuple(
  fc.array(bytes, { maxLength: 8 }),
  fc.constantFrom("\n", "\r\n"),
  fc.boolean(),
);

const options = {
  output,
  overwrite: true,
  sequences: 2,
  context: { contextSize: 64, threads: 1 },
  maxTokens: 2,
};

await fuzz([
  {
    name: "lines",
    arbitrary: file,
    run: async ([lines, ending, ends]) => {
      const all = lines.flatMap((line) => [line, Buffer.from(ending)]);
      await writeFile(input, Buffer.concat(ends ? all : all.slice(0, -1)));
      const summary = await demandCode(() => runBatch(model, { ...options, input }));
      if (summary === undefined) return;
      const results = (await readFile(output, "utf8"))
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line));
      if (results.length !== summary.done) {
        throw new Error(`${results.length} results, ${summary.done} done`);
      }
      for (const { id: name, response, error } of results) {
        if (!/^batch_req_/.test(name) || (response === null) === (error === null)) {
          throw new Error("A result of another form");
        }
        if (error?.code === "ERR_INTERNAL") throw new Error(error.message);
      }
    },
  },
]);
await model.dispose();
