// Nothing but a pending generation keeps this process alive; an idle model and context do not.
import { endlessSampler, Model, path, smallBatches } from "./setup.mjs";

const model = await Model.load(path);
const context = await model.createContext(smallBatches);
const options = { sampler: endlessSampler(model), maxTokens: 40 };
process.exitCode = 1;
context
  .generate("The", options)
  .result()
  .then(({ tokens }) => {
    if (tokens.length === 40) process.exitCode = 0;
  });
