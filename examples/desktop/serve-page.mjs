// The same page in a browser: node examples/desktop/serve-page.mjs [PORT]. What Electron's ports do is done
// by HTTP here, an event stream down and posts up; the engine is the same file, in a worker. For looking at
// the page and for tests: it answers this machine only.

import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { MessageChannel, Worker } from "node:worker_threads";
import { decode, encode } from "./page/port-text.js";

// In a checkout this serves for the install: what `npm install` would make of "file:../..".
const link = fileURLToPath(new URL("node_modules/cria", import.meta.url));
if (!existsSync(link)) {
  mkdirSync(fileURLToPath(new URL("node_modules", import.meta.url)), { recursive: true });
  symlinkSync(fileURLToPath(new URL("../..", import.meta.url)), link, "junction");
}

const require = createRequire(import.meta.url);
const { findModels } = require("./model-files.cjs");
const { pageFile } = require("./page-files.cjs");

const BODY_MAX = 16 * 1024 * 1024;
const models = findModels({});
const ports = new Map();
let engine;

/** As main.cjs: a new one where there is none. */
function startEngine() {
  const started = new Worker(fileURLToPath(new URL("engine.cjs", import.meta.url)));
  started.on("error", (error) => console.error(error));
  started.once("exit", () => {
    if (engine === started) engine = undefined;
  });
  return started;
}

function openPort(response) {
  engine ??= startEngine();
  const { port1, port2 } = new MessageChannel();
  const id = randomUUID();
  const send = (event, data) => response.write(`event: ${event}\ndata: ${data}\n\n`);
  ports.set(id, port2);
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  send("engine", JSON.stringify({ id, models: models.map(({ name }) => name) }));
  port2.on("message", (message) => send("message", encode(message)));
  port2.once("close", () => {
    ports.delete(id);
    response.end();
  });
  response.once("close", () => port2.close());
  engine.postMessage({ models, port: port1 }, [port1]);
}

async function take(request, response, id) {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) {
    body += chunk;
    if (body.length > BODY_MAX) return response.writeHead(413).end();
  }
  const port = ports.get(id);
  try {
    for (const line of body.split("\n")) port?.postMessage(decode(line));
  } catch {
    return response.writeHead(400).end();
  }
  return response.writeHead(port ? 204 : 410).end();
}

async function answer(request, response) {
  // Another site's page may send requests here; by these headers they are told from the page's own.
  const { host, origin } = request.headers;
  const own = /^(localhost|127\.0\.0\.1|\[::1\]):\d+$/.test(host ?? "");
  const { pathname } = new URL(request.url, "http://localhost");
  if (!own || (origin !== undefined && origin !== `http://${host}`)) {
    response.writeHead(403).end();
  } else if (pathname === "/port" && request.method === "GET") {
    openPort(response);
  } else if (pathname.startsWith("/port/") && request.method === "POST") {
    await take(request, response, pathname.slice("/port/".length));
  } else {
    const file = await pageFile(pathname);
    response.writeHead(file ? 200 : 404, file?.headers).end(file?.body);
  }
}

const server = createServer((request, response) => {
  // A path that is none, or a page that was reloaded while it sent: that is the end of this request alone.
  answer(request, response).catch(() => {
    if (response.headersSent) response.destroy();
    else response.writeHead(400).end();
  });
});

server.listen(Number(process.argv[2] ?? 5171), "127.0.0.1", () => {
  console.log(`http://localhost:${server.address().port}/`);
});
