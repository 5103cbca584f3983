// A client that is idle does not keep its process alive, and neither does the server that it had.
const { MessageChannel } = require("node:worker_threads");
const { connect } = require("../../dist/electron.cjs");
const { serve } = require("../../dist/electron-server.cjs");

const { port1, port2 } = new MessageChannel();
serve(port1, { models: { demo: process.env.CRIA_TEST_MODEL } });
const { Model } = connect(port2);
Model.load("demo").then(async (model) => {
  const context = await model.createContext({ contextSize: 64, threads: 1 });
  await context.generateText("Once", { maxTokens: 2 });
  port1.unref(); // as a server it stays: here it is not the one under test
  console.log("idle");
});
