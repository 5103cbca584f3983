// What a token takes of a model that lies on two workers on loopback, and of one in this process, with as many
// threads in all: the workers take turns, each with all threads. In turn, five times. What goes over the wire
// is counted between them.
//
//   node bench/works/rpc.mjs [model.gguf] [threads]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { availableParallelism, loadavg } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Model } from "../../dist/index.js";

const demo = new URL("../../models/cria-demo.gguf", import.meta.url).pathname;
const [path = demo, threads = String(availableParallelism())] = process.argv.slice(2);
const cli = fileURLToPath(new URL("../../dist/cli.cjs", import.meta.url));
const PROMPT = 256;
const TOKENS = 32;

let sent = 0; // by the client
let received = 0;

/** A worker, and what counts the bytes that pass between it and us. */
async function startWorker() {
  const child = spawn(
    process.execPath,
    [cli, "rpc-server", "--port", "0", "--threads", threads, "-q"],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [url] = await once(createInterface(child.stdout), "line");
  const counter = createServer((client) => {
    const worker = connect({ port: Number(new URL(url).port), noDelay: true });
    client.setNoDelay(true);
    client.on("data", (bytes) => {
      sent += bytes.length;
    });
    worker.on("data", (bytes) => {
      received += bytes.length;
    });
    client.pipe(worker).pipe(client);
    client.on("error", () => {});
    worker.on("error", () => {});
  }).listen(0, "127.0.0.1");
  await once(counter, "listening");
  return { child, counter, url, counted: `rpc://127.0.0.1:${counter.address().port}` };
}

/** Milliseconds per token of the prompt, and of those behind it. */
async function measure(model) {
  const context = await model.createContext({
    threads: Number(threads),
    contextSize: PROMPT + TOKENS + 2,
  });
  const [one] = model.tokenize("a");
  const sequence = await context.createSequence();
  await sequence.evaluate([one]); // a warm-up
  const began = performance.now();
  await sequence.evaluate(new Int32Array(PROMPT).fill(one));
  const prefilled = performance.now();
  const before = { sent, received };
  for (let i = 0; i < TOKENS; ++i) await sequence.evaluate([one]);
  const decode = (performance.now() - prefilled) / TOKENS;
  const bytes = { out: (sent - before.sent) / TOKENS, back: (received - before.received) / TOKENS };
  await context.dispose();
  return { prefill: (prefilled - began) / PROMPT, decode, ...bytes };
}

async function measured(options) {
  const model = await Model.load(path, options);
  const found = await measure(model);
  await model.dispose();
  return found;
}

async function pair(devices) {
  const local = await measured({ devices: ["CPU"] });
  return { local, remote: await measured({ devices, gpuLayers: "all" }) };
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const workers = [await startWorker(), await startWorker()];
const load = loadavg()[0].toFixed(1);
try {
  const pairs = [];
  for (let i = 0; i < 5; ++i) pairs.push(await pair(workers.map(({ url }) => url)));
  for (const key of ["prefill", "decode"]) {
    const rate = (side) => 1000 / median(pairs.map((one) => one[side][key]));
    const ratio = median(pairs.map(({ local, remote }) => local[key] / remote[key]));
    console.log(
      `${key.padEnd(8)}local ${rate("local").toFixed(1)} tok/s, two workers ` +
        `${rate("remote").toFixed(1)} tok/s, ratio ${ratio.toFixed(2)}`,
    );
  }
  const { remote } = await pair(workers.map(({ counted }) => counted));
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  console.log(
    `wire    ${kilobytes(remote.out)} to the workers and ${kilobytes(remote.back)} from them per token`,
  );
  console.log(`        ${threads} threads, load at the beginning ${load}`);
} finally {
  for (const { child, counter } of workers) {
    child.kill();
    counter.close();
  }
}
