// llama-server and cria's own server, freshly started for each measurement and driven over HTTP on loopback.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { inFlight } from "./prompts.mjs";
import { commonArguments, program } from "./upstream.mjs";

const startTimeout = 120_000;

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

async function healthy(url, child) {
  const deadline = performance.now() + startTimeout;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`llama-server ended with ${child.exitCode}.`);
    const response = await fetch(`${url}/health`).catch(() => null);
    await response?.arrayBuffer();
    if (response?.ok) return;
    await sleep(50);
  }
  throw new Error("llama-server did not become healthy.");
}

/** A server for as long as `use` runs; its log goes nowhere. */
async function withServer(model, settings, { slots, contextSize }, use) {
  const port = await freePort();
  const args = [
    ...commonArguments(model, settings),
    ...["-tb", String(settings.threads), "-np", String(slots), "-c", String(slots * contextSize)],
    ...["--host", "127.0.0.1", "--port", String(port), "--no-ui", "--log-disable"],
  ];
  const child = spawn(program("llama-server"), args, { stdio: "ignore" });
  const ended = new Promise((resolve) => {
    child.once("exit", resolve);
    child.once("error", resolve);
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    await healthy(url, child);
    return await use(url);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** The same of cria's. */
async function withCria(model, settings, { slots, contextSize }, use) {
  const work = { model, settings, sequences: slots, contextSize };
  const program = fileURLToPath(new URL("served.mjs", import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(work)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  try {
    const said = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)]);
    if (said === undefined) throw new Error(`cria's server ended with ${child.exitCode}.`);
    return await use(String(said[0]).trim());
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** Top-k 1 alone is the cheapest way to be greedy that the server has. */
async function complete(url, prompt, tokens) {
  const response = await fetch(`${url}/completion`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      prompt: [...prompt],
      n_predict: tokens,
      samplers: ["top_k"],
      top_k: 1,
      cache_prompt: true,
    }),
  });
  if (!response.ok) throw new Error(`The server: ${response.status} ${await response.text()}`);
  const { tokens_predicted: predicted } = await response.json();
  if (predicted !== tokens) throw new Error(`The server gave ${predicted} of ${tokens} tokens.`);
}

/**
 * Milliseconds for all prompts, `slots` of them in flight at any time, by a server that has seen one
 * short, unrelated request.
 */
export const llamaServer = measured(withServer);

/** The same by cria's server. */
export const criaServer = measured(withCria);

function measured(withOne) {
  return (model, settings, { prompts, tokens, slots, contextSize }) =>
    withOne(model, settings, { slots, contextSize }, async (url) => {
      await complete(url, prompts[0].slice(-1), 4);
      const start = performance.now();
      await inFlight(slots, prompts, (prompt) => complete(url, prompt, tokens));
      return performance.now() - start;
    });
}
