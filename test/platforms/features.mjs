// Run in every runtime that test:platforms finds, as basics.mjs is: what needs files of other kinds, sockets and
// processes. `features.mjs REPORT`.

import { ok as assert, deepEqual as equal, match } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { text as wholeText } from "node:stream/consumers";
import { downloadModel, inspectGguf, listWorkerDevices, Model } from "cria";
import { createServer } from "cria/server";
import { ANSWERS, checkAll, folder, modelPath, question } from "./checks.mjs";

const require = createRequire(import.meta.url);
const fixtures = require("./fixtures.cjs");
const cli = join(dirname(require.resolve("cria/package.json")), "dist", "cli.cjs");
/** This runtime, as a command: under qemu process.execPath is none. */
const runtime = process.env.CRIA_TEST_LAUNCHER || process.execPath;

const LLAMA = "What is a llama?";
const greedy = { temperature: 0, maxTokens: 8 };

async function idsOf(context, prompt, more = {}) {
  const { tokens } = await context.generateText(prompt, { ...greedy, ...more });
  return [...tokens];
}

async function run(args, input = "") {
  const child = spawn(runtime, [cli, ...args], { stdio: "pipe" });
  child.stdin.end(input);
  const [[code], stdout, stderr] = await Promise.all([
    once(child, "close"),
    wholeText(child.stdout),
    wholeText(child.stderr),
  ]);
  return { code, stdout, stderr };
}

async function asJson(response) {
  const body = await response.text();
  assert(response.ok, body);
  return JSON.parse(body);
}

/** A model with a projector, and what two different media and the same again give. */
async function sees(write, name, [first, second]) {
  const path = join(folder, "random.gguf");
  const projector = join(folder, name);
  await fixtures.writeRandomModel(path, 3, { like: modelPath });
  write(projector);
  const model = await Model.load(path, { projector });
  const context = await model.createContext({ contextSize: 1024, kvCacheType: "f32" });
  const around = (medium) => [{ tokens: [7, 11, 13] }, medium, { tokens: [23, 29, 31] }];
  const { usage } = await context.generateText(around(first), greedy);
  assert(usage.promptTokens > 6 + 8);
  const once = await idsOf(context, around(first), { cachePrompt: false });
  equal(await idsOf(context, around(first), { cachePrompt: false }), once);
  const { logprobs } = await context.generateText(around(first), { ...greedy, logprobs: 1 });
  const others = await context.generateText(around(second), { ...greedy, logprobs: 1 });
  assert(JSON.stringify(logprobs) !== JSON.stringify(others.logprobs));
  const broken = { image: Buffer.from("\x89PNG\r\n\x1a\n, but not really", "latin1") };
  if (first.image) {
    const refused = await context.generateText([broken], greedy).catch((error) => error);
    equal(refused.code, "ERR_MEDIA_INVALID");
  }
  const { media } = model;
  await model.dispose();
  return media;
}

async function fetchFrom(hub) {
  const progress = [];
  process.env.HF_HUB_CACHE = join(folder, "hub");
  const options = {
    endpoint: hub.endpoint,
    onProgress: ({ receivedBytes }) => progress.push(receivedBytes),
  };
  const path = await downloadModel(`hf:${fixtures.REPOSITORY}:Q8_0`, options);
  equal(readFileSync(path).compare(readFileSync(modelPath)), 0);
  equal(progress.at(-1), readFileSync(modelPath).length);
  const { sent } = hub;
  equal(await downloadModel(`hf:${fixtures.REPOSITORY}:Q8_0`, options), path);
  equal(hub.sent, sent);
  const { architecture } = await inspectGguf(path);
  equal(architecture, "llama");
  const url = `${hub.storage}/demo-Q8_0.gguf`;
  const alone = await downloadModel(url, { directory: join(folder, "alone") });
  const model = await Model.load(alone);
  await model.dispose();
}

async function askServer(base) {
  const page = await fetch(base);
  match(await page.text(), /src="page\/main\.js"/);
  const ask = { messages: [{ role: "user", content: LLAMA }], temperature: 0, max_tokens: 40 };
  const headers = { "content-type": "application/json" };
  const post = (path, body) =>
    fetch(base + path, { method: "POST", headers, body: JSON.stringify(body) });
  const { choices } = await asJson(await post("/v1/chat/completions", ask));
  match(choices[0].message.content, /wool/);
  const streamed = await post("/v1/chat/completions", { ...ask, stream: true });
  match(await streamed.text(), /data: \[DONE\]\n\n$/);
  const form = new FormData();
  const line = { custom_id: "one", method: "POST", url: "/v1/chat/completions", body: ask };
  form.set("purpose", "batch");
  form.set("file", new Blob([JSON.stringify(line)]), "in.jsonl");
  const { id } = await asJson(await fetch(`${base}/v1/files`, { method: "POST", body: form }));
  const endpoint = "/v1/chat/completions";
  const wanted = { input_file_id: id, endpoint, completion_window: "24h" };
  let batch = await asJson(await post("/v1/batches", wanted));
  while (!["completed", "failed", "cancelled"].includes(batch.status)) {
    batch = await asJson(await fetch(`${base}/v1/batches/${batch.id}`));
  }
  equal(batch.request_counts, { total: 1, completed: 1, failed: 0 });
  const output = await fetch(`${base}/v1/files/${batch.output_file_id}/content`);
  match(await output.text(), /wool/);
}

const checks = {
  async "an adapter changes the answer of its request, and of no other"({ model, context }) {
    const path = join(folder, "adapter.gguf");
    fixtures.writeLora(path, 5);
    const adapter = await model.loadLora(path);
    const before = await idsOf(context, question(LLAMA));
    const changed = await idsOf(context, question(LLAMA), { adapters: [{ adapter, scale: 1 }] });
    assert(changed.join() !== before.join());
    equal(await idsOf(context, question(LLAMA)), before);
  },

  async "a picture"() {
    const pictures = [90, 200].map((shade) => ({ image: fixtures.stripes(60, 40, shade) }));
    equal(await sees(fixtures.writeLlava, "llava.gguf", pictures), { image: true, audio: false });
  },

  async "a sound"() {
    const sounds = [440, 3000].map((hertz) => ({ audio: fixtures.wav(0.5, hertz) }));
    const media = await sees(fixtures.writeUltravox, "ultravox.gguf", sounds);
    equal(media, { image: false, audio: true });
  },

  async "a model that a hub has, fetched twice into one cache"() {
    const hub = await fixtures.HubServer.start();
    hub.files.set("demo-Q8_0.gguf", readFileSync(modelPath));
    try {
      await fetchFrom(hub);
    } finally {
      hub.stop();
    }
  },

  async "layers on a worker, which another process runs"() {
    const args = ["rpc-server", "--port", "0", "--threads", "1", "--quiet"];
    const worker = spawn(runtime, [cli, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(worker, "close");
    const url = await new Promise((resolve, reject) => {
      createInterface(worker.stdout).once("line", resolve);
      ended.then(([code]) => reject(new Error(`the worker ended with ${code}`)));
    });
    match(url, /^rpc:\/\/127\.0\.0\.1:\d+$/);
    equal((await listWorkerDevices(url)).length, 1);
    const model = await Model.load(modelPath, { devices: [url], gpuLayers: "all" });
    const context = await model.createContext({ contextSize: 256 });
    for (const [text, expected] of Object.entries(ANSWERS)) {
      equal(await idsOf(context, question(text), { maxTokens: 40 }), expected);
    }
    worker.kill("SIGKILL");
    await ended;
    const lost = await idsOf(context, question(LLAMA)).catch((error) => error);
    equal(lost.code, "ERR_WORKER_UNREACHABLE");
    await model.dispose();
  },

  async "a server: a page, an answer, a stream, and a batch of a file"({ model }) {
    const context = { contextSize: 512, sequences: 2 };
    const filesDirectory = join(folder, "files");
    const server = createServer({ models: { demo: { model, context } }, filesDirectory });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      await askServer(`http://127.0.0.1:${server.address().port}`);
    } finally {
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    }
  },

  async "the command line: a generation, a chat from a pipe, and a failure"() {
    const options = ["--temperature", "0", "--max-tokens", "40"];
    const generated = await run(["generate", modelPath, "Once upon a time", ...options]);
    equal(generated.code, 0);
    assert(generated.stdout.length > 20);
    const answered = await run(["chat", modelPath, "--temperature", "0"], `${LLAMA}\n`);
    equal(answered.code, 0);
    match(answered.stdout, /wool/);
    const failed = await run(["generate", join(folder, "none.gguf"), "A"]);
    equal(failed.code, 1);
    match(failed.stderr, /ERR_MODEL_NOT_FOUND/);
  },
};

await checkAll(checks, process.argv[2]);
