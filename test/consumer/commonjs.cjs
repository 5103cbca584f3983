const { engineInfo, Model, Sampler } = require("cria");

// What a program does not import is not loaded.
for (const file of Object.keys(require.cache)) {
  if (/langchain|ai-sdk/.test(file)) throw new Error(`${file} is loaded`);
}

async function main() {
  const model = await Model.load(process.env.CRIA_TEST_MODEL);
  const context = await model.createContext();
  const options = { sampler: Sampler.greedy(), maxTokens: 8 };
  const { text } = await context.generate("The llama", options).result();
  await model.dispose();
  console.log(JSON.stringify({ text, path: engineInfo().path }));
}

main();
