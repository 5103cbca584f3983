// The engine's process: Electron's utility process, or a worker of serve-page.mjs. The main process sends
// it, for each page, a port and the models that the page may load, by their names.

const { parentPort } = require("node:worker_threads");
const { serve } = require("cria/electron/server");

/** Name → file. Only the main process adds to it: a page can load what is here, and nothing else. */
const models = new Map();

(process.parentPort ?? parentPort).on("message", (event) => {
  const message = process.parentPort ? event.data : event;
  const port = process.parentPort ? event.ports[0] : event.port;
  for (const { name, path } of message.models) models.set(name, path);
  if (port) serve(port, { models: (name) => models.get(name) });
});
