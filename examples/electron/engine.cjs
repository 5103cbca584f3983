// Runs in Electron's utility process: Node without a window, where a native module belongs.

const path = require("node:path");
const { Model } = require("cria");

const modelPath =
  process.env.CRIA_MODEL ?? path.join(__dirname, "..", "..", "models", "cria-demo.gguf");
const context = Model.load(modelPath).then((model) => model.createContext());

process.parentPort.on("message", ({ ports: [port] }) => {
  let running = null;
  port.on("message", async ({ data }) => {
    running?.cancel();
    if (data.type !== "generate") return;
    try {
      running = (await context).generate(data.prompt, { maxTokens: 200 });
      for await (const { text } of running) port.postMessage({ type: "text", text });
      port.postMessage({ type: "end" });
    } catch (error) {
      port.postMessage({ type: "end", error: error.message });
    }
  });
  port.start();
});
