// Loads the model with the options in argv[2], and prints the devices and what it says.
import { listDevices } from "../../dist/index.js";
import { endlessSampler, Model } from "../lifetime/setup.mjs";

const model = await Model.load(process.env.CRIA_TEST_MODEL, JSON.parse(process.argv[2]));
const context = await model.createContext({ contextSize: 64 });
const options = { sampler: endlessSampler(model), maxTokens: 12 };
const { text } = await context.generate("The", options).result();
console.log(JSON.stringify({ devices: listDevices(), text }));
await model.dispose();
