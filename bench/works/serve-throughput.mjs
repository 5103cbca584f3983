// What the server takes of the engine's speed: 16 clients, in a process of their own, that ask for completions
// whole and in pieces, beside as many generations in the server's process.
//
//   node bench/works/serve-throughput.mjs [model.gguf]
//
// The three take turns, round after round, and a ratio is the median of the rounds' own: whatever else the
// machine does then meets all of them. `js µs` is what the server's JS thread had of a processor for a token, which
// a busy machine hardly changes.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import http from "node:http";
import { Model } from "../../dist/index.js";
import { createServer } from "../../dist/server.js";

const CLIENTS = Number(process.env.CLIENTS ?? 16);
const ROUNDS = Number(process.env.ROUNDS ?? 9);
const TOKENS = Number(process.env.TOKENS ?? 128);
const EACH = 2;

const promptOf = (client, turn) => `Client ${client} says ${turn}: once upon a time`;

/** All clients at once, each asking one after the other. Milliseconds. */
async function together(ask) {
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      for (let turn = 0; turn < EACH; turn++) await ask(promptOf(client, turn));
    }),
  );
  return performance.now() - begin;
}

if (process.send === undefined) await measure();
else runClients();

/** The other process: told how to ask, tells how long it took. */
function runClients() {
  const agent = new http.Agent({ keepAlive: true });
  process.on("message", async ({ port, body }) => {
    const ask = (prompt) =>
      new Promise((resolve, reject) => {
        const text = JSON.stringify({ ...body, prompt });
        const request = http.request(
          { port, host: "127.0.0.1", path: "/v1/completions", method: "POST", agent },
          (answer) => {
            if (answer.statusCode !== 200) reject(new Error(`status ${answer.statusCode}`));
            answer.resume().on("end", resolve);
          },
        );
        request.on("error", reject).end(text);
      });
    process.send(await together(ask));
  });
}

/** Milliseconds that this thread had of a processor, where the system tells. */
function threadTime() {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/stat`, "utf8");
    const [user, system] = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13);
    return (Number(user) + Number(system)) * 10;
  } catch {
    return Number.NaN;
  }
}

async function measure() {
  const [path = new URL("../../models/cria-demo.gguf", import.meta.url).pathname] =
    process.argv.slice(2);
  const model = await Model.load(path);
  const context = await model.createContext({ contextSize: 512, sequences: CLIENTS });
  const server = createServer({ models: { demo: context } });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  const clients = fork(new URL(import.meta.url).pathname);
  const ids = Array.from({ length: model.vocabularySize }, (_, id) => id);
  const ends = ids.filter((id) => model.isEndOfGeneration(id));
  const logitBias = Object.fromEntries(ends.map((id) => [id, -100]));
  const remote = (stream) => () =>
    new Promise((resolve, reject) => {
      const body = { max_tokens: TOKENS, temperature: 0, logit_bias: logitBias, stream };
      const gone = () => reject(new Error("The clients ended."));
      clients.once("message", (milliseconds) => {
        clients.off("exit", gone);
        resolve(milliseconds);
      });
      clients.once("exit", gone);
      clients.send({ port, body });
    });
  const ways = {
    generate: () =>
      together(async (prompt) => {
        const options = { maxTokens: TOKENS, temperature: 0, logitBias };
        for await (const { text } of context.generate(prompt, options)) void text;
      }),
    whole: remote(false),
    stream: remote(true),
  };
  const tokens = CLIENTS * EACH * TOKENS;
  const rates = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  const spent = Object.fromEntries(Object.keys(ways).map((name) => [name, 0]));
  for (const work of Object.values(ways)) await work(); // once, unmeasured
  for (let round = 0; round < ROUNDS; round++) {
    // Each comes first, second and last in turn.
    const order = Object.entries(ways);
    order.push(...order.splice(0, round % order.length));
    for (const [name, work] of order) {
      const before = threadTime();
      rates[name].push((tokens * 1000) / (await work()));
      spent[name] += threadTime() - before;
    }
  }
  const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
  for (const name of Object.keys(ways)) {
    const ratio = median(rates[name].map((rate, round) => rate / rates.generate[round]));
    const own = (spent[name] * 1000) / (tokens * ROUNDS);
    console.log(
      `${name.padEnd(9)}${median(rates[name]).toFixed(0).padStart(6)} tok/s  ratio ${ratio.toFixed(3)}  ` +
        `js ${own.toFixed(1)} µs a token`,
    );
  }
  clients.kill();
  server.close(async () => model.dispose());
}
