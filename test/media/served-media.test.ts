import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createCria } from "../../lib/ai-sdk/ai-sdk.js";
import { Model, runBatch } from "../../lib/index.js";
import { inputFile, linesOf, outputFile } from "../support/batch.js";
import { writeRandomModel } from "../support/random-model.js";
import { type ServedHttp, served } from "../support/served.js";
import { stripes, wav } from "../support/tiny-media.js";
import { writeLlava } from "../support/tiny-projectors.js";

/** Of a picture in LLaVA's grid. */
const ROWS = 16;
const picture = stripes(60, 40, 90);
const url = `data:image/png;base64,${picture.toString("base64")}`;
const text = { type: "text", text: "What is it?" } as const;
const shown = { role: "user", content: [{ type: "image_url", image_url: { url } }, text] } as const;
const said = { role: "user", content: "What is it?" } as const;

let directory: string;
let file: string;
let model: Model;
let http: ServedHttp;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cria-media-"));
  await writeRandomModel(join(directory, "model.gguf"), 3);
  writeLlava(join(directory, "llava.gguf"));
  file = join(directory, "picture.png");
  writeFileSync(file, picture);
  model = await Model.load(join(directory, "model.gguf"), {
    projector: join(directory, "llava.gguf"),
  });
  http = await served({ models: { seer: model } });
});

afterAll(async () => {
  await http.close();
  await model.dispose();
  rmSync(directory, { recursive: true });
});

const chat = (messages: readonly object[]) =>
  http.post("/v1/chat/completions", { model: "seer", messages, max_tokens: 2 });

async function promptTokens(answer: Response): Promise<number> {
  expect(answer.status).toBe(200);
  const { usage } = (await answer.json()) as {
    usage: { prompt_tokens?: number; input_tokens?: number };
  };
  return usage.prompt_tokens ?? usage.input_tokens ?? 0;
}

test("a server's requests have pictures that are all there", async () => {
  const without = await promptTokens(await chat([said]));
  expect(await promptTokens(await chat([shown]))).toBe(without + ROWS);
  const content = [
    { type: "input_image", image_url: url },
    { type: "input_text", text: text.text },
  ];
  const body = { model: "seer", input: [{ role: "user", content }], max_output_tokens: 2 };
  const answer = await http.post("/v1/responses", body);
  expect(await promptTokens(answer)).toBe(without + ROWS);
});

test.each([
  ["a file's URL", () => ({ type: "image_url", image_url: { url: pathToFileURL(file).href } })],
  ["a path", () => ({ type: "image", image: file })],
  ["a URL elsewhere", () => ({ type: "image_url", image_url: { url: "http://127.0.0.1/x" } })],
  [
    "a sound",
    () => ({
      type: "input_audio",
      input_audio: { data: wav(1, 9).toString("base64"), format: "wav" },
    }),
  ],
])("a server refuses %s", async (_, part) => {
  const answer = await chat([{ role: "user", content: [part(), text] }]);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(await answer.json()).toMatchObject({ error: { code: "ERR_UNSUPPORTED" } });
});

test("a server tells of a damaged picture", async () => {
  const bad = { url: `data:image/png;base64,${picture.subarray(0, 40).toString("base64")}` };
  const answer = await chat([{ role: "user", content: [{ type: "image_url", image_url: bad }] }]);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ error: { code: "ERR_MEDIA_INVALID" } });
});

test("lines of a batch have pictures, and open no files", async () => {
  const line = (custom_id: string, message: object) => ({
    ...{ custom_id, method: "POST", url: "/v1/chat/completions" },
    body: { messages: [message], max_tokens: 2 },
  });
  const input = inputFile(directory, [
    line("without", said),
    line("with", shown),
    line("path", { role: "user", content: [{ type: "image", image: file }] }),
  ]);
  const output = outputFile(directory);
  await runBatch(model, { input, output, ordered: true });
  const [without, seen, refused] = linesOf(output);
  const tokens = (one: typeof seen) =>
    (one as { response: { body: { usage: { prompt_tokens: number } } } }).response.body.usage
      .prompt_tokens;
  expect(tokens(seen)).toBe(tokens(without) + ROWS);
  expect(refused?.error).toMatchObject({ code: "ERR_UNSUPPORTED" });
});

test("the AI SDK's file parts are pictures", async () => {
  const context = await model.createContext({ contextSize: 512 });
  const asked = async (content: readonly object[]) => {
    const options = { prompt: [{ role: "user", content }], maxOutputTokens: 2 } as const;
    const { usage } = await createCria(context)
      .languageModel()
      .doGenerate(options as never);
    return (usage.inputTokens as { total: number }).total;
  };
  const part = { type: "file", mediaType: "image/png" } as const;
  const without = await asked([text]);
  for (const data of [
    picture,
    picture.toString("base64"),
    new URL(url),
    { type: "data", data: picture },
  ]) {
    expect(await asked([text, { ...part, data }])).toBe(without + ROWS);
  }
  await context.dispose();
});
