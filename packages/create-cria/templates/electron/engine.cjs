// The engine's process: it serves each page over the port that comes with a message of the main process.

const path = require("node:path");
const { serve } = require("cria/electron/server");

/** What a page can load, and nothing else. Put a model of yours in the place of the package's tiny one. */
const models = {
  assistant: path.join(
    path.dirname(require.resolve("cria/package.json")),
    "models",
    "cria-demo.gguf",
  ),
};

process.parentPort.on("message", ({ ports: [port] }) => serve(port, { models }));
