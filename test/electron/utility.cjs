const { serve } = require("cria/electron/server");
const { MODEL } = require("./generate.cjs");

process.parentPort.on("message", ({ ports: [port] }) => {
  serve(port, { models: { demo: MODEL } });
});
