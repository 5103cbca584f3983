// Looks into a model on Hugging Face, tells whether it fits here, and fetches it if told so:
//   node examples/fetch.mjs hf:user/repo:Q4_K_M [--fetch]

import { downloadModel, estimateMemory, inspectGguf } from "cria";

const [reference, flag] = process.argv.slice(2);
if (reference === undefined) {
  console.error("usage: node examples/fetch.mjs hf:USER/REPO[:QUANTISATION] [--fetch]");
  process.exit(2);
}

// Both read the file's header only, wherever it is.
const { name, architecture, quantization, parameterCount } = await inspectGguf(reference);
console.log(`${name}: ${architecture}, ${(parameterCount / 1e9).toFixed(3)}B, ${quantization}`);
const { model, kvCache, compute } = await estimateMemory(reference, { contextSize: 512 });
console.log(`${((model + kvCache + compute) / 1e9).toFixed(3)} GB with a context of 512 tokens`);

if (flag === "--fetch") {
  const path = await downloadModel(reference, {
    onProgress: ({ receivedBytes, totalBytes }) =>
      process.stderr.write(`\r${receivedBytes} of ${totalBytes} bytes`),
  });
  console.log(path);
}
