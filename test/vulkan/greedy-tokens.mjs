// Greedy tokens behind the prompts in argv[2], with the likeliest at each place, by the engine that CRIA_BINARY
// names. No token ends them.
import { endlessSampler, Model } from "../lifetime/setup.mjs";

const { prompts, maxTokens } = JSON.parse(process.argv[2]);
const model = await Model.load(process.env.CRIA_TEST_MODEL);
const context = await model.createContext({ contextSize: 256 });
const options = { sampler: endlessSampler(model), maxTokens, logprobs: 20, cachePrompt: false };
const results = [];
for (const prompt of prompts) {
  const { tokens, logprobs } = await context.generate(prompt, options).result();
  results.push({ tokens: [...tokens], logprobs });
}
console.log(JSON.stringify(results));
await model.dispose();
