// A process that serves the demo model over its IPC channel, or a worker thread that does over a port:
// real ports at both ends, as in Electron, where the pipe between two processes is the system's.
const { MessageChannel, isMainThread, workerData } = require("node:worker_threads");
const { Model } = require("../../dist/index.cjs");
const { serve } = require("../../dist/electron-server.cjs");

const models = { demo: process.env.CRIA_TEST_MODEL, held: undefined };

async function main() {
  models.held = await Model.load(models.demo);
  if (!isMainThread) {
    serve(workerData, { models });
    return;
  }
  const { port1, port2 } = new MessageChannel();
  const served = serve(port1, { models });
  // The pipe may be gone before this process hears of it.
  port2.on("message", (message) => process.send(message, () => {}));
  process.on("message", (message) => port2.postMessage(message));
  process.once("disconnect", async () => {
    port2.close();
    await served.closed;
    await models.held.dispose();
    // Nothing holds the process any more: it ends by itself.
  });
  process.send({ type: "ready" });
}

main();
