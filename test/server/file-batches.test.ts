// Batches, by OpenAI's own client, and what is left of them when a server ends.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toFile } from "openai";
import type { Batch, BatchCreateParams } from "openai/resources/batches";
import { Model } from "../../lib/index.js";
import { MODEL } from "../support/paths.js";
import { type ServedHttp, served } from "../support/served.js";

let folder: string;
let model: Model;
let here: ServedHttp;
const MAX_FILE = 20_000;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-storage-"));
  model = await Model.load(MODEL);
  here = await serve({});
});
afterAll(async () => {
  await here.close();
  await model.dispose();
  await rm(folder, { recursive: true });
});

const serve = (options: { filesDirectory?: string; sequences?: number }) => {
  const { sequences = 3, ...rest } = options;
  const context = { contextSize: 256, sequences };
  return served({
    models: {
      demo: { model, context },
      guard: { model, context, guard: { variant: "llama-guard-3-8b" } },
    },
    ...{ maxFile: MAX_FILE, maxStorage: 4 * MAX_FILE, ...rest },
  });
};

const lines = (url: string, bodies: readonly object[]) =>
  bodies
    .map((body, index) => JSON.stringify({ custom_id: `line ${index}`, method: "POST", url, body }))
    .join("\n");

const upload = async ({ client }: ServedHttp, text: string) =>
  client.files.create({ file: await toFile(Buffer.from(text), "in.jsonl"), purpose: "batch" });

const begin = async (
  { client }: ServedHttp,
  file: string,
  more: Partial<BatchCreateParams> = {},
): Promise<Batch> =>
  client.batches.create({
    ...{ input_file_id: file, endpoint: "/v1/chat/completions", completion_window: "24h" },
    ...more,
  });

const isOver = ({ status }: Batch) => ["completed", "failed", "cancelled"].includes(status);

/** Asks until the batch is so far. */
async function until(
  { client }: ServedHttp,
  id: string,
  isIt: (batch: Batch) => boolean = isOver,
): Promise<Batch> {
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (isIt(batch)) return batch;
    if (isOver(batch)) throw new Error(`The batch is over: ${JSON.stringify(batch)}`);
  }
}

const content = async ({ client }: ServedHttp, id: string | null | undefined) =>
  (await (await client.files.content(id ?? "")).text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .sort((one, other) => (String(one.custom_id) < String(other.custom_id) ? -1 : 1));

const chat = (text: string, more: object = {}) => ({
  ...{ model: "demo", messages: [{ role: "user", content: text }], temperature: 0, ...more },
});
/** So many completions, of which only the first is short. */
const longOnes = (count: number, tokens = 40) => {
  const ids = Array.from({ length: model.vocabularySize }, (_, id) => id);
  const ends = ids.filter((id) => model.isEndOfGeneration(id)).map((id) => [id, -100]);
  return Array.from({ length: count }, (_, index) => ({
    ...{ prompt: `Llama ${index}`, max_tokens: index === 0 ? 1 : tokens, temperature: 0 },
    logit_bias: Object.fromEntries(ends),
  }));
};
const failure = (call: Promise<unknown>) => call.catch((error: unknown) => error);

describe("batches", () => {
  test("of chats, from the file to the results", async () => {
    const { client } = here;
    const question = "What is a baby llama called?";
    const input = await upload(
      here,
      lines("/v1/chat/completions", [
        chat(question),
        chat("Hi", { temperature: 9 }),
        chat("Hi", { max_tokens: 2 }),
      ]),
    );
    const metadata = { project: "llamas" };
    const begun = await begin(here, input.id, { metadata });
    expect(begun).toMatchObject({
      ...{ object: "batch", status: "validating", endpoint: "/v1/chat/completions", metadata },
      ...{ id: expect.stringMatching(/^batch_[0-9a-f]{24}$/), input_file_id: input.id },
      ...{ completion_window: "24h", output_file_id: null, error_file_id: null, errors: null },
      request_counts: { total: 0, completed: 0, failed: 0 },
    });
    const done = await until(here, begun.id);
    expect(done).toMatchObject({
      ...{ status: "completed", model: "demo", errors: null },
      request_counts: { total: 3, completed: 2, failed: 1 },
    });
    const { created_at, in_progress_at, finalizing_at, completed_at } = done;
    const times = [created_at, in_progress_at, finalizing_at, completed_at];
    expect(times).toEqual([...times].sort());
    const results = await content(here, done.output_file_id);
    expect(results.map(({ custom_id, error }) => [custom_id, error])).toEqual([
      ["line 0", null],
      ["line 2", null],
    ]);
    expect(results[0]?.response).toMatchObject({
      status_code: 200,
      body: { choices: [{ message: { content: "A baby llama is called a cria." } }] },
    });
    const errors = await content(here, done.error_file_id);
    expect(errors).toMatchObject([
      { custom_id: "line 1", response: null, error: { code: "ERR_INVALID_ARGUMENT" } },
    ]);
    const output = await client.files.retrieve(done.output_file_id ?? "");
    expect(output).toMatchObject({
      ...{ purpose: "batch_output", filename: `${begun.id}_output.jsonl` },
    });
    const again = await failure(begin(here, output.id));
    expect(again).toMatchObject({ status: 400, code: "invalid_file_purpose" });
    const over = await failure(client.batches.cancel(begun.id));
    expect(over).toMatchObject({ status: 400, code: "batch_not_cancellable" });
    await client.files.delete(input.id);
  });

  test("of completions, embeddings and moderations, by the models that are for them", async () => {
    const asked = {
      "/v1/completions": { prompt: "Once upon a time", max_tokens: 3 },
      "/v1/embeddings": { input: "a llama" },
      "/v1/moderations": { input: "I want to steal cars." },
    } as const;
    const batches = await Promise.all(
      Object.entries(asked).map(async ([url, body]) => {
        const { id } = await upload(here, lines(url, [body]));
        return begin(here, id, { endpoint: url as BatchCreateParams["endpoint"] });
      }),
    );
    const done = await Promise.all(batches.map(({ id }) => until(here, id)));
    expect(done.map(({ status, model: name }) => [status, name])).toEqual([
      ["completed", "demo"],
      ["completed", "demo"],
      ["completed", "guard"],
    ]);
    const bodies = [];
    for (const { output_file_id } of done) {
      bodies.push(...(await content(here, output_file_id)));
    }
    expect(bodies).toMatchObject([
      { response: { body: { object: "text_completion", usage: { completion_tokens: 3 } } } },
      { response: { body: { object: "list", data: [{ object: "embedding" }] } } },
      { response: { body: { results: [{ flagged: true }] } } },
    ]);
    const newest = batches
      .map(({ id }) => id)
      .sort()
      .reverse();
    const listed = await here.client.batches.list({ limit: 2 });
    expect(listed.data.map(({ id }) => id)).toEqual(newest.slice(0, 2));
    expect(listed.has_more).toBe(true);
    const all = [];
    for await (const { id } of here.client.batches.list({ limit: 2 })) all.push(id);
    expect(all.slice(0, 3)).toEqual(newest);
  });

  test.each([
    ["empty_file", "\n\n", null],
    ["invalid_json_line", '{"custom_id"', 1],
    ["invalid_json_line", "[]", 1],
    ["mismatched_url", lines("/v1/embeddings", [chat("x")]), 1],
    ["missing_required_parameter", '{"custom_id": "x", "url": "/v1/chat/completions"}', 1],
    [
      "mismatched_model",
      lines("/v1/chat/completions", [chat("x"), chat("x", { model: "guard" })]),
      2,
    ],
    [
      "duplicate_custom_id",
      `${lines("/v1/chat/completions", [chat("x")])}\n${lines("/v1/chat/completions", [chat("y")])}`,
      2,
    ],
    ["model_not_found", lines("/v1/chat/completions", [chat("x", { model: "gpt" })]), null],
  ])("fail with %s before anything runs", async (code, text, line) => {
    const { id } = await upload(here, text);
    const failed = await until(here, (await begin(here, id)).id);
    expect(failed).toMatchObject({ status: "failed", output_file_id: null });
    expect(failed.errors?.data).toContainEqual(expect.objectContaining({ code, line }));
    await here.client.files.delete(id);
  });

  test("requests that ask for what is not there", async () => {
    const { id } = await upload(here, "x");
    const create = (params: object) => failure(begin(here, id, params));
    const wrong = { status: 400, code: "ERR_INVALID_ARGUMENT" };
    expect(await create({ endpoint: "/v1/responses" })).toMatchObject({
      ...{ ...wrong, param: "endpoint" },
    });
    expect(await create({ completion_window: "1h" })).toMatchObject(wrong);
    expect(await create({ metadata: { a: 1 } })).toMatchObject({ ...wrong, param: "metadata" });
    expect(await create({ metadata: { a: "x".repeat(513) } })).toMatchObject(wrong);
    expect(await create({ input_file_id: "file-1" })).toMatchObject({ status: 404 });
    const output_expires_after = { anchor: "created_at", seconds: 3600 };
    expect(await create({ output_expires_after })).toMatchObject({ code: "ERR_UNSUPPORTED" });
    const none = { status: 404, code: "batch_not_found" };
    expect(await failure(here.client.batches.retrieve("batch_1"))).toMatchObject(none);
    expect(await failure(here.client.batches.cancel("../x"))).toMatchObject({ status: 404 });
    const query = here.client.batches.list({ limit: 101 });
    expect(await failure(Promise.resolve(query))).toMatchObject({ status: 400, param: "limit" });
    await here.client.files.delete(id);
  });

  test("cancelled, they keep what was answered; one that waits is cancelled at once", async () => {
    const { id } = await upload(here, lines("/v1/completions", longOnes(60, 200)));
    const endpoint = "/v1/completions";
    const first = await begin(here, id, { endpoint });
    const second = await begin(here, id, { endpoint });
    const running = await until(here, first.id, ({ request_counts }) => {
      return (request_counts?.completed ?? 0) > 0;
    });
    expect(running).toMatchObject({ status: "in_progress", request_counts: { total: 60 } });
    const used = await failure(here.client.files.delete(id));
    expect(used).toMatchObject({ status: 400, code: "file_in_use" });
    // Requests are answered beside it: a sequence is left to them.
    const answer = await here.client.chat.completions.create(
      chat("Hi", { max_tokens: 2 }) as never,
    );
    expect(answer).toMatchObject({ usage: { completion_tokens: 2 } });
    await here.client.batches.cancel(second.id);
    expect(await until(here, second.id)).toMatchObject({
      ...{ status: "cancelled", output_file_id: null },
    });
    expect(await here.client.batches.cancel(first.id)).toMatchObject({ status: "cancelling" });
    const cancelled = await until(here, first.id);
    const { completed = 0, total } = cancelled.request_counts ?? {};
    expect(total).toBe(60);
    expect(completed).toBeLessThan(60);
    expect(await content(here, cancelled.output_file_id)).toHaveLength(completed);
    expect(cancelled).toMatchObject({ status: "cancelled", error_file_id: null });
    await here.client.files.delete(id);
  });
});

test("so many are not over at a time, and one that is cancelled makes room", async () => {
  const { id } = await upload(here, lines("/v1/completions", longOnes(20, 200)));
  const endpoint = "/v1/completions";
  const begun = await Promise.all(
    Array.from({ length: 101 }, () => failure(begin(here, id, { endpoint }))),
  );
  const made = begun.filter((one): one is Batch => !(one instanceof Error));
  expect(made).toHaveLength(100);
  expect(begun.find((one) => one instanceof Error)).toMatchObject({
    ...{ status: 429, code: "too_many_batches" },
  });
  for (const batch of made.slice().reverse()) await here.client.batches.cancel(batch.id);
  for (const batch of made) await until(here, batch.id);
  const last = await begin(here, id, { endpoint });
  await here.client.batches.cancel(last.id);
  expect(await until(here, last.id)).toMatchObject({ status: "cancelled" });
  await here.client.files.delete(id);
});

describe("a folder that lasts", () => {
  const counted = ({ request_counts }: Batch) => (request_counts?.completed ?? 0) > 0;
  const onDisk = async (id: string) =>
    JSON.parse(await readFile(join(folder, "kept", "batches", `${id}.json`), "utf8")) as Batch;

  test("a server goes on where the one before it ended", async () => {
    const filesDirectory = join(folder, "kept");
    const first = await serve({ filesDirectory });
    const { id: file } = await upload(first, lines("/v1/completions", longOnes(12)));
    const { id } = await begin(first, file, { endpoint: "/v1/completions" });
    await until(first, id, counted);
    const waiting = await begin(first, file, { endpoint: "/v1/completions" });
    // Nobody else may have the folder meanwhile.
    const errors: unknown[] = [];
    const other = await served({
      models: { demo: { model } },
      ...{ filesDirectory, onRequest: ({ error }) => errors.push(error) },
    });
    expect((await other.get("/v1/files")).status).toBe(500);
    expect(String(errors[0])).toMatch(/cannot be used for files/);
    expect(errors[0]).toMatchObject({ code: "ERR_LOCKED" });
    await other.close();
    await first.close();
    expect((await onDisk(id)).status).toBe("in_progress");
    expect((await onDisk(waiting.id)).status).toBe("in_progress");
    const text = await readFile(join(filesDirectory, "batches", `${id}.results.jsonl`), "utf8");
    const before = text.split("\n").filter((line) => line.endsWith("}"));
    expect(before.length).toBeGreaterThan(0);
    expect(before.length).toBeLessThan(12);

    const second = await serve({ filesDirectory });
    const done = await until(second, id);
    expect(done).toMatchObject({
      ...{ status: "completed", request_counts: { total: 12, completed: 12, failed: 0 } },
    });
    const output = await (await second.client.files.content(done.output_file_id ?? "")).text();
    // What was there is taken over as it is, and no line is answered twice.
    expect(output.split("\n").slice(0, before.length)).toEqual(before);
    const ids = (await content(second, done.output_file_id)).map(({ custom_id }) => custom_id);
    expect(ids).toEqual(Array.from({ length: 12 }, (_, index) => `line ${index}`).sort());
    expect(await until(second, waiting.id)).toMatchObject({ status: "completed" });
    await second.close();
    const left = await readdir(join(filesDirectory, "batches"));
    expect(left.sort()).toEqual([`${id}.json`, `${waiting.id}.json`]);
  });

  test("one with other settings does not mix its answers in; what was never complete is removed", async () => {
    const filesDirectory = join(folder, "other");
    const first = await serve({ filesDirectory });
    const { id: file } = await upload(first, lines("/v1/completions", longOnes(12)));
    const { id } = await begin(first, file, { endpoint: "/v1/completions" });
    await until(first, id, counted);
    await first.close();
    const foreign = join(filesDirectory, "files", "notes.data");
    await writeFile(foreign, "mine");
    await writeFile(join(filesDirectory, "files", `file-${"a".repeat(24)}.data`), "half");
    await writeFile(join(filesDirectory, "files", `file-${"b".repeat(24)}.json`), "{");
    const context = { contextSize: 256, kvCacheType: "q8_0" } as const;
    const second = await served({ models: { demo: { model, context } }, filesDirectory });
    const failed = await until(second, id);
    expect(failed).toMatchObject({
      ...{ status: "failed", errors: { data: [{ code: "ERR_INVALID_ARGUMENT" }] } },
    });
    expect(failed.errors?.data?.[0]?.message).toMatch(/other options/);
    expect(JSON.stringify(failed)).not.toContain(folder);
    // What was answered is not lost.
    const kept = await content(second, failed.output_file_id);
    expect(kept.length).toBeGreaterThan(0);
    expect((await second.client.files.list()).data).toHaveLength(2);
    await second.close();
    expect(await readFile(foreign, "utf8")).toBe("mine");
    expect(await readdir(join(filesDirectory, "files"))).not.toContain(
      `file-${"a".repeat(24)}.data`,
    );
  });

  test("one that was killed after a cancellation: what it had answered counts, and nothing else is left", async () => {
    const filesDirectory = join(folder, "killed");
    const first = await serve({ filesDirectory });
    const { id: file } = await upload(first, lines("/v1/completions", longOnes(12)));
    const { id } = await begin(first, file, { endpoint: "/v1/completions" });
    await until(first, id, counted);
    await first.close();
    // As a kill leaves it: no count was written, the lock is there.
    const batches = join(filesDirectory, "batches");
    const description = join(batches, `${id}.json`);
    const results = join(batches, `${id}.results.jsonl`);
    const batch = JSON.parse(await readFile(description, "utf8")) as Batch;
    const request_counts = { total: 12, completed: 0, failed: 0 };
    const left = { ...batch, status: "cancelling", request_counts };
    await writeFile(description, JSON.stringify(left));
    await writeFile(`${results}.lock`, "");
    const over = `batch_${"0".repeat(24)}`;
    await writeFile(
      join(batches, `${over}.json`),
      JSON.stringify({ ...batch, id: over, status: "completed" }),
    );
    await writeFile(join(batches, `${over}.results.jsonl`), "");

    const second = await serve({ filesDirectory });
    const cancelled = await until(second, id);
    const kept = await content(second, cancelled.output_file_id);
    expect(kept.length).toBeGreaterThan(0);
    expect(cancelled).toMatchObject({
      ...{ status: "cancelled", request_counts: { total: 12, completed: kept.length, failed: 0 } },
    });
    await second.close();
    expect((await readdir(batches)).sort()).toEqual([`${over}.json`, `${id}.json`].sort());
  });
});

test("what is wrong with the server's files and settings fails a batch, which tells of no place", async () => {
  const place = "/nowhere/secret/lost.gguf";
  const vectors = { contextSize: 256, controlVectors: [{ path: place }] };
  const there = await served({
    models: {
      lost: place,
      steered: { model, context: vectors },
      wrong: { model, context: { contextSize: -5 } },
    },
  });
  for (const [name, code] of [
    ["lost", "ERR_MODEL_NOT_FOUND"],
    ["steered", "ERR_MODEL_INVALID"],
    ["wrong", "ERR_INTERNAL"],
  ]) {
    const text = lines("/v1/chat/completions", [chat("x", { model: name })]);
    const { id } = await upload(there, text);
    const failed = await until(there, (await begin(there, id)).id);
    expect(failed).toMatchObject({ status: "failed", errors: { data: [{ code }] } });
    expect(JSON.stringify(failed)).not.toMatch(/secret|contextSize/);
  }
  await there.close();
});
