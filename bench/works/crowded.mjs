// What a token takes when other processes never rest: one busy loop for each processor, beside a
// generation on as many threads.
//
//   node bench/works/crowded.mjs [model.gguf]
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { Model } from "../../dist/index.js";

const [path = new URL("../../models/cria-demo.gguf", import.meta.url).pathname] =
  process.argv.slice(2);
const processors = availableParallelism();
const model = await Model.load(path);
const context = await model.createContext({ threads: processors, contextSize: 512 });
const sequence = await context.createSequence();
const tokens = model.tokenize("The llama lives in the mountains and eats grass all day long.");
await sequence.evaluate(tokens);

/** Median of 5 stretches, ms per token. */
async function perToken() {
  const stretches = [];
  for (let stretch = 0; stretch < 5; ++stretch) {
    const begin = performance.now();
    for (const token of tokens) await sequence.evaluate([token]);
    stretches.push((performance.now() - begin) / tokens.length);
  }
  return stretches.sort((a, b) => a - b)[2];
}

const alone = await perToken();
const loops = Array.from({ length: processors }, () =>
  spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
);
await new Promise((resolve) => setTimeout(resolve, 1000));
const beside = await perToken();
for (const loop of loops) loop.kill();
console.log(`alone   ${alone.toFixed(2)} ms/token`);
console.log(`beside  ${beside.toFixed(2)} ms/token, ${processors} busy loops`);
await model.dispose();
