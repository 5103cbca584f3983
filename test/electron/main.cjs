// The smoke test of the CI's Electron job: the engine generates in the main process; in a utility process, over a
// port, by cria/electron, which tells when that process is killed; and the desktop example answers in its window.
// Ends with status 0 only when all of them did.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { once } = require("node:events");
const { app, MessageChannelMain, utilityProcess } = require("electron");
const { connect } = require("cria/electron");
const { generate, PROMPT, OPTIONS, CONTEXT } = require("./generate.cjs");

// What `npm install` would make of the example's "file:../..".
const modules = path.join(__dirname, "..", "..", "examples", "desktop", "node_modules");
fs.mkdirSync(modules, { recursive: true });
if (!fs.existsSync(path.join(modules, "cria"))) {
  fs.symlinkSync(path.join(__dirname, "..", ".."), path.join(modules, "cria"), "junction");
}

const window = new Promise((resolve) => {
  app.once("browser-window-created", (_, created) => resolve(created));
});
require("../../examples/desktop/main.cjs");

async function inUtilityProcess(expected) {
  const child = utilityProcess.fork(path.join(__dirname, "utility.cjs"));
  const exit = once(child, "exit");
  const { port1, port2 } = new MessageChannelMain();
  child.postMessage("client", [port1]);
  const { Model, closed } = connect(port2);
  const model = await Model.load("demo");
  const context = await model.createContext(CONTEXT);
  const { text } = await context.generateText(PROMPT, OPTIONS);
  assert.equal(text, expected);

  const stop = new AbortController();
  const aborted = context.generate(PROMPT, { signal: stop.signal }).result();
  stop.abort("stop");
  await assert.rejects(aborted, (reason) => reason === "stop");

  const pending = context.generate(PROMPT).result();
  pending.catch(() => {});
  child.kill();
  await exit;
  assert.equal((await closed).code, "ERR_CONNECTION_CLOSED");
}

/** In the page: waits for the model, asks, and resolves with the answer. */
async function ask() {
  const until = async (ready) => {
    while (!ready()) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  const find = (selector) => document.querySelector(selector);
  await until(() => find("#status").textContent === "" && find("#model").value !== "");
  find("#prompt").value = "What is a baby llama called?";
  find("#composer").requestSubmit();
  await until(() => find(".assistant .note"));
  return find(".assistant .text").textContent;
}

async function inWindow() {
  const { webContents } = await window;
  if (webContents.isLoading()) await once(webContents, "did-finish-load");
  const answer = await webContents.executeJavaScript(`(${ask})()`);
  assert.equal(answer, "A baby llama is called a cria.");
}

async function main() {
  const here = await generate();
  assert.notEqual(here, "");
  await inUtilityProcess(here);
  await inWindow();
  console.log(`Electron ${process.versions.electron}: ${JSON.stringify(here)}`);
}

setTimeout(() => {
  console.error("Nothing was heard for ten minutes.");
  app.exit(1);
}, 600_000).unref();

app
  .whenReady()
  .then(main)
  .then(
    () => app.exit(0),
    (error) => {
      console.error(error);
      app.exit(1);
    },
  );
