// A log handler gets what llama.cpp says, in the thread that set it; its own faults become warnings.
import { Model, setLogHandler } from "../../dist/index.js";

const path = process.env.CRIA_TEST_MODEL;
const lines = [];
setLogHandler((level, message) => lines.push([level, message]));
await (await Model.load(path)).dispose();
const levels = new Set(["debug", "info", "warn", "error"]);
if (lines.length < 10) throw new Error(`only ${lines.length} lines`);
for (const [level, message] of lines) {
  if (!levels.has(level) || typeof message !== "string") throw new Error(`${level}: ${message}`);
}

setLogHandler(null);
const before = lines.length;
await (await Model.load(path)).dispose();
if (lines.length !== before) throw new Error("a removed handler was called");

const warnings = [];
process.on("warning", ({ message }) => warnings.push(message));
let calls = 0;
setLogHandler(() => {
  calls++;
  throw new Error("from the handler");
});
await (await Model.load(path)).dispose();
await new Promise(setImmediate);
if (calls !== 1 || warnings.join() !== "from the handler") throw new Error(`${calls}: ${warnings}`);
for (const handler of [undefined, 1, "log", {}]) {
  try {
    setLogHandler(handler);
  } catch (error) {
    if (error.code === "ERR_INVALID_ARGUMENT") continue;
  }
  throw new Error(`${handler} was taken for a handler`);
}
