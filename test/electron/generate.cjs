const path = require("node:path");
const { Model } = require("cria");

exports.MODEL = path.join(__dirname, "..", "..", "models", "cria-demo.gguf");
exports.PROMPT = "A llama";
exports.CONTEXT = { contextSize: 256 };
exports.OPTIONS = { maxTokens: 16, temperature: 0 };

/** A few greedy tokens; everything is closed again when it returns. */
exports.generate = async () => {
  const loaded = await Model.load(exports.MODEL);
  try {
    const context = await loaded.createContext(exports.CONTEXT);
    const { text } = await context.generateText(exports.PROMPT, exports.OPTIONS);
    return text;
  } finally {
    await loaded.dispose();
  }
};
