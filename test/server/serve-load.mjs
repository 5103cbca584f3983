// A server under load: many clients that do what they should, what they should not, and go when they like.
//
//   node --expose-gc test/server/serve-load.mjs [--requests N] [--seconds N] [--clients N] [--seed N] [--fuzz]
//
// With --seconds it goes on for so long, however many requests that are; with --fuzz all are fuzzed. Prints one
// JSON object: what became of the requests by kind, what the server counted, what was left behind them.
import { fork } from "node:child_process";
import http from "node:http";
import { parseArgs } from "node:util";
import { Model } from "../../dist/index.js";
import { createServer } from "../../dist/server.js";
import { KINDS, Random } from "./load-kinds.mjs";

const MAX_BODY = 65_536;
/** How often each kind is sent. */
const MIX = [
  ...Array(5).fill("right"),
  ...Array(5).fill("fuzzed"),
  ...["odd", "form", "oversized", "malformed", "gone", "gone", "slow"],
];
const FUZZ = ["fuzzed", "fuzzed", "fuzzed", "odd", "form", "malformed"];

if (process.send === undefined) await main();
else runClients();

function runClients() {
  process.on("message", async ({ port, clients, requests, seconds, seed, fuzz }) => {
    const agent = new http.Agent({ keepAlive: true });
    const server = { port, agent, maxBody: MAX_BODY };
    const outcomes = {};
    const failures = [];
    const until = performance.now() + seconds * 1000;
    let left = requests;
    const client = async (_, index) => {
      const random = new Random(seed + index);
      while (seconds > 0 ? performance.now() < until : left-- > 0) {
        const kind = random.pick(fuzz ? FUZZ : MIX);
        const word = await KINDS[kind](server, random).catch((error) => {
          if (failures.length < 10) failures.push(`${kind}: ${error.message}`.slice(0, 500));
          return "failed";
        });
        outcomes[kind] ??= {};
        outcomes[kind][word] = (outcomes[kind][word] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    agent.destroy();
    process.send({ outcomes, failures });
  });
}

async function main() {
  const { values } = parseArgs({
    options: {
      ...{
        requests: { type: "string", default: "400" },
        seconds: { type: "string", default: "0" },
      },
      ...{ clients: { type: "string", default: "64" }, seed: { type: "string", default: "7" } },
      fuzz: { type: "boolean", default: false },
    },
  });
  const model = await Model.load(new URL("../../models/cria-demo.gguf", import.meta.url).pathname);
  const context = await model.createContext({ contextSize: 256, sequences: 8 });
  const broke = [];
  const statuses = {};
  const server = createServer({
    models: { demo: { model, context: { contextSize: 256, sequences: 8 } }, one: context },
    maxBody: MAX_BODY,
    queue: 512,
    onRequest: ({ status, error }) => {
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status >= 500 && broke.length < 10) broke.push(String(error?.stack ?? error));
    },
  });
  let taken = 0;
  server.on("request", () => {
    taken += 1;
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  const wave = (how) =>
    new Promise((resolve, reject) => {
      const clients = fork(new URL(import.meta.url).pathname, { execArgv: [] });
      clients.once("message", (told) => {
        clients.removeAllListeners("exit");
        clients.kill();
        resolve(told);
      });
      clients.once("exit", reject);
      const { clients: count, seed } = values;
      clients.send({ port, clients: Number(count), seed: Number(seed), fuzz: values.fuzz, ...how });
    });
  await wave({ requests: 200, seconds: 0 }); // what is made once is made now
  const before = await settled(port);
  const began = performance.now();
  const told = await wave({ requests: Number(values.requests), seconds: Number(values.seconds) });
  const milliseconds = Math.round(performance.now() - began);
  const after = await settled(port);
  const answered = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  console.log(
    JSON.stringify({
      ...{ ...told, statuses, broke, milliseconds },
      // Requests that came and were never answered nor given up.
      lost: taken - answered,
      left: { running: after.running, waiting: after.waiting, connections: after.connections },
      heapMegabytes: { before: before.heap, after: after.heap },
    }),
  );
  await new Promise((resolve) => server.close(resolve));
  await model.dispose();

  /** Waits until nothing runs any more, as it should when all clients are gone. */
  async function settled() {
    for (let patience = 2000; ; patience--) {
      const connections = await new Promise((resolve) =>
        server.getConnections((_, count) => resolve(count)),
      );
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const sum = (name) =>
        [...text.matchAll(new RegExp(`^${name}\\{.*\\} (\\d+)$`, "gm"))].reduce(
          (total, [, value]) => total + Number(value),
          0,
        );
      const running = sum("cria_generations_running");
      const waiting = sum("cria_generations_waiting");
      // The connection of this very question may be kept open.
      if (running + waiting === 0 && connections <= 1) {
        for (let i = 0; i < 3; i++) {
          globalThis.gc?.();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        const { heapUsed, external } = process.memoryUsage();
        const heap = Math.round((heapUsed + external) / 2 ** 20);
        return { running, waiting, connections, heap };
      }
      if (patience === 0) return { running, waiting, connections, heap: Number.NaN };
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
