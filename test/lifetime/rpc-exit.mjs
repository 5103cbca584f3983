// Exits with code 7 while a worker is used: argv[2] says during what, argv[3] whether the worker is "alive",
// "killed" or "stopped", which answers no more.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Model, path, smallBatches, underWay } from "./setup.mjs";

const [phase, how] = process.argv.slice(2);
const cli = fileURLToPath(new URL("../../dist/cli.cjs", import.meta.url));
const worker = spawn(process.execPath, [cli, "rpc-server", "--port", "0", "-q"], {
  stdio: ["ignore", "pipe", "ignore"],
});
const [url] = await once(createInterface(worker.stdout), "line");
process.on("exit", () => worker.kill("SIGKILL"));

const end = async () => {
  if (how === "killed") {
    worker.kill("SIGKILL");
    await once(worker, "exit");
  }
  if (how === "stopped") worker.kill("SIGSTOP");
};

const load = (onProgress) => Model.load(path, { devices: [url], gpuLayers: "all", onProgress });
if (phase === "load") {
  await new Promise((resolve) => load(() => end().then(resolve)).catch(() => {}));
} else {
  const model = await load();
  const context = await model.createContext({ ...smallBatches, sequences: 2 });
  if (phase !== "idle") await underWay(model, context, phase, 3);
  await end();
}
process.exit(7);
