// Starts the engine in another process, uses it, and ends in the way that its first argument says.
const { fork } = require("node:child_process");
const { join } = require("node:path");
const { MessageChannel } = require("node:worker_threads");
const { connect } = require("../../dist/electron.cjs");

async function main(way) {
  const child = fork(join(__dirname, "engine-process.cjs"), { serialization: "advanced" });
  await new Promise((resolve) => child.once("message", resolve));
  const { port1, port2 } = new MessageChannel();
  child.on("message", (message) => port1.postMessage(message));
  port1.on("message", (message) => child.connected && child.send(message, () => {}));
  child.on("exit", () => port1.close());
  const { Model } = connect(port2);
  const model = await Model.load("held");
  const context = await model.createContext({ contextSize: 512, threads: 1 });
  const generation = context.generate("Once upon a time", { maxTokens: 400, temperature: 0 });
  for await (const { text } of generation) {
    if (text !== "") break;
  }
  const ended = new Promise((resolve) => child.once("exit", (...end) => resolve(end)));
  if (way === "kill") {
    const running = context.generate("Once", { maxTokens: 400, temperature: 0 });
    await running[Symbol.asyncIterator]().next();
    child.kill("SIGKILL");
    const codes = [
      running.result(),
      context.generateText("Once"),
      model.createContext(),
      context.score("a", [1]),
    ].map((pending) => pending.then(String, ({ code }) => code));
    console.log(JSON.stringify(await Promise.all(codes)));
  } else if (way === "disconnect") {
    context.generate("Once", { maxTokens: 400 });
    child.disconnect();
    port1.close();
  } else if (way === "exit") {
    child.once("exit", () => {});
    process.exit(0);
  }
  console.log(JSON.stringify(await ended));
}

main(process.argv[2]);
