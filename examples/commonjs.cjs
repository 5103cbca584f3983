// The same package from CommonJS: node examples/commonjs.cjs

const path = require("node:path");
const { CriaError, Model } = require("cria");

async function main() {
  const model = await Model.load(path.join(__dirname, "..", "models", "cria-demo.gguf"));
  try {
    const context = await model.createContext();
    const options = { temperature: 0, maxTokens: 60 };
    const { text } = await context.generateText("In a small village", options);
    console.log(`In a small village${text}`);
  } finally {
    await model.dispose();
  }
}

main().catch((error) => {
  console.error(CriaError.is(error) ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
});
