import { engineInfo, Model, Sampler } from "cria";

const model = await Model.load(process.env.CRIA_TEST_MODEL);
const context = await model.createContext();
let text = "";
const options = { sampler: Sampler.greedy(), maxTokens: 8 };
for await (const chunk of context.generate("The llama", options)) text += chunk.text;
await model.dispose();
console.log(JSON.stringify({ text, path: engineInfo().path }));
