const path = require("node:path");
const { Model, Sampler } = require("cria");

const model = path.join(__dirname, "..", "..", "models", "cria-demo.gguf");

/** A few greedy tokens; everything is closed again when it returns. */
exports.generate = async () => {
  const loaded = await Model.load(model);
  try {
    const context = await loaded.createContext({ contextSize: 256 });
    const options = { maxTokens: 16, sampler: Sampler.greedy() };
    const { text } = await context.generate("A llama", options).result();
    return text;
  } finally {
    await loaded.dispose();
  }
};
