// A model over two workers. Here they are processes of this machine; on others, `cria rpc-server` runs them in a
// closed network, and their URLs are the arguments:
//   node examples/workers.mjs [MODEL.gguf] [rpc://HOST:PORT…]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { listWorkerDevices, Model } from "cria";

const demoModel = fileURLToPath(new URL("../models/cria-demo.gguf", import.meta.url));
const given = process.argv.slice(2);
const [path = demoModel] = given.filter((text) => !text.startsWith("rpc://"));
const devices = given.filter((text) => text.startsWith("rpc://"));

const children = [];
async function startWorker() {
  const cli = fileURLToPath(new URL("../dist/cli.cjs", import.meta.url));
  const worker = spawn(process.execPath, [cli, "rpc-server", "--port", "0", "--quiet"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(worker);
  const [url] = await once(createInterface(worker.stdout), "line");
  return url;
}
while (devices.length < 2) devices.push(await startWorker());

for (const url of devices) {
  for (const { name, memoryTotal } of await listWorkerDevices(url)) {
    console.log(`${name}: ${(memoryTotal / 1e9).toFixed(1)} GB`);
  }
}
const model = await Model.load(path, { devices, gpuLayers: "all" });
const context = await model.createContext({ contextSize: 512 });
const { text } = await context.generateText("High in the mountains", {
  temperature: 0,
  maxTokens: 24,
});
console.log(`High in the mountains${text}`);
await model.dispose();
for (const worker of children) worker.kill();
