// The same package from CommonJS: node examples/commonjs.cjs

const path = require("node:path");
const { CriaError, Model, Sampler } = require("cria");

async function main() {
  const model = await Model.load(path.join(__dirname, "..", "models", "cria-demo.gguf"));
  try {
    const context = await model.createContext();
    const options = { sampler: Sampler.greedy(), maxTokens: 60 };
    const { text } = await context.generate("In a small village", options).result();
    console.log(`In a small village${text}`);
  } finally {
    await model.dispose();
  }
}

main().catch((error) => {
  // `instanceof` fails between the ESM and the CommonJS copy; CriaError.is does not.
  console.error(CriaError.is(error) ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
});
