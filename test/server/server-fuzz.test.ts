// Whatever comes, the answer is JSON of OpenAI's shapes, and the next one is answered as ever.
import fc from "fast-check";
import { type Context, Model } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";
import { idle } from "../support/remote.js";
import { errorShape, type ServedHttp, served } from "../support/served.js";

let model: Model;
let context: Context;
let here: ServedHttp;
const failures: unknown[] = [];
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 256, sequences: 4 });
  here = await served({
    models: { demo: context },
    onRequest: ({ status, error }) => status === 500 && failures.push(error),
  });
});
afterAll(async () => {
  await here.close();
  await model.dispose();
});

/** Bodies that are nearly right: each of their fields is as it should be, or anything. */
const BODIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "/v1/chat/completions": {
    messages: [{ role: "user", content: "Hi" }],
    max_tokens: 2,
    temperature: 0,
    stop: ["x"],
    n: 1,
    logprobs: true,
    top_logprobs: 1,
    response_format: { type: "json_schema", json_schema: { schema: { enum: [1] } } },
    tools: [{ type: "function", function: { name: "f", parameters: {} } }],
    tool_choice: "auto",
    logit_bias: { 5: 1 },
    stream: true,
    stream_options: { include_usage: true },
    reasoning_effort: "low",
    grammar: 'root ::= "x"',
  },
  "/v1/completions": { prompt: "Hi", max_tokens: 2, logprobs: 0, seed: 3, stream: false, top_k: 3 },
  "/v1/responses": {
    input: [{ role: "user", content: [{ type: "input_text", text: "Hi" }] }],
    max_output_tokens: 2,
    tools: [{ type: "function", name: "f", parameters: {} }],
    text: { format: { type: "text" } },
    include: [],
    reasoning: { effort: "low" },
    stream: false,
  },
  "/v1/messages": {
    messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    system: [{ type: "text", text: "Hi" }],
    max_tokens: 2,
    tools: [{ name: "f", input_schema: {} }],
    tool_choice: { type: "auto", disable_parallel_tool_use: true },
    stop_sequences: ["x"],
    thinking: { type: "enabled", budget_tokens: 1024 },
    top_k: 1,
    stream: true,
  },
  "/v1/messages/count_tokens": { messages: [{ role: "assistant", content: "Hi" }], system: "Hi" },
  "/v1/chat/completions/input_tokens": { messages: [{ role: "user", content: "Hi" }] },
  "/embedding": { content: ["Hi"], embd_normalize: 2 },
  "/v1/embeddings": { input: ["Hi"], encoding_format: "float", dimensions: 3 },
  "/v1/moderations": { input: [{ type: "text", text: "Hi" }] },
  "/rerank": { query: "Hi", documents: ["x"], top_n: 1, return_documents: true },
  "/tokenize": { content: "Hi", add_special: true, with_pieces: true },
  "/detokenize": { tokens: [1, 2] },
};

/** What limits an answer stays, so that each is short. */
const KEPT = ["max_tokens", "max_output_tokens", "n"];

const nearly = (right: unknown): fc.Arbitrary<unknown> => {
  const own = fc.constant(right);
  const any = fc.jsonValue({ maxDepth: 3 });
  if (Array.isArray(right)) {
    return fc.oneof(
      own,
      any,
      fc.array(right.length > 0 ? nearly(right[0]) : any, { maxLength: 3 }),
    );
  }
  if (typeof right === "object" && right !== null) {
    const fields = Object.fromEntries(
      Object.entries(right).map(([key, value]) => [
        key,
        KEPT.includes(key) ? fc.constant(value) : nearly(value),
      ]),
    );
    const kept = Object.keys(fields).filter((key) => KEPT.includes(key));
    return fc.oneof(own, fc.record(fields, { requiredKeys: kept as never[] }));
  }
  return fc.oneof({ weight: 3, arbitrary: own }, any);
};

const body = (path: string) => nearly(BODIES[path]).map((value) => JSON.stringify(value));
const request = fc
  .constantFrom(...Object.keys(BODIES))
  .chain((path) => fc.tuple(fc.constant(path), body(path)));

/** Cut anywhere, or with a byte that is another one. */
const broken = request.chain(([path, text]) =>
  fc
    .tuple(fc.nat(text.length), fc.string({ maxLength: 3, unit: "binary" }))
    .map(([at, put]) => [path, text.slice(0, at) + put] as const),
);

async function check(path: string, text: string): Promise<void> {
  const answer = await here.post(path, text);
  const type = answer.headers.get("content-type");
  const said = await answer.text();
  if (answer.status === 200) {
    if (type?.startsWith("text/event-stream")) expect(said).toMatch(/\n\n$/);
    else expect(() => JSON.parse(said)).not.toThrow();
    return;
  }
  expect(answer.status).toBe(400);
  const { error } = JSON.parse(said) as { error: Record<string, unknown> };
  if (path.startsWith("/v1/messages")) {
    const told = { type: "invalid_request_error", message: expect.any(String) };
    expect(JSON.parse(said)).toEqual({ type: "error", error: told });
    return;
  }
  expect(JSON.parse(said)).toEqual(errorShape({ param: error.param }));
  expect(error.param === null || typeof error.param === "string").toBe(true);
}

test.each([
  ["nearly right", request, 500],
  ["broken", broken, 200],
] as const)("bodies that are %s", async (_, arbitrary, numRuns) => {
  await fc.assert(
    fc.asyncProperty(arbitrary, ([path, text]) => check(path, text)),
    { seed: 7, numRuns },
  );
  expect(failures).toEqual([]);
  await idle(context);
  const right = { messages: [{ role: "user", content: "Hi" }], max_tokens: 2 };
  expect((await here.post("/v1/chat/completions", right)).status).toBe(200);
});
