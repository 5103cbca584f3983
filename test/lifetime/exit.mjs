// Exits in the middle of the work that argv[3] names, with and without a dispose under way.
import { endlessSampler, longPrompt, Model, path, pause, rounds, smallBatches } from "./setup.mjs";

const [phase, disposing] = [process.argv[3], process.argv[4] === "disposing"];

if (phase === "load") {
  Model.load(path);
} else {
  const model = await Model.load(path);
  if (phase === "open") {
    model.createContext(smallBatches);
  } else {
    const context = await model.createContext({ ...smallBatches, sequences: 2 });
    const prompts =
      phase === "prefill" ? [longPrompt(model), longPrompt(model)] : ["The", "A", "Once"];
    for (const prompt of prompts) context.generate(prompt, { sampler: endlessSampler(model) });
  }
  if (disposing) setTimeout(() => model.dispose(), rounds % 10);
}
await pause(rounds);
process.exit(0);
