// What every case runs: the engine loads, the demo model that comes with the package answers.

/** The line that the program prints. */
export const answer = "cria:  mountains lived near a";

/** Statements that leave the answer in `text`. `path`: an expression. */
export const generation = (path) => `
  const model = await Model.load(${path});
  const context = await model.createContext({ contextSize: 128 });
  const { text } = await context.generateText("A llama", { temperature: 0, maxTokens: 4 });
  await model.dispose();
`;

const body = `
const main = async () => {${generation("path")}
  console.log("cria: " + text);
};
`;

const locate = (resolve) =>
  `const path = require("node:path").join(require("node:path").dirname(${resolve}), "models", "cria-demo.gguf");`;

export const esm = `
import { createRequire } from "node:module";
import { Model } from "cria";
const require = createRequire(import.meta.url);
${locate('require.resolve("cria/package.json")')}
${body}
await main();
`;

export const commonjs = `
const { Model } = require("cria");
${locate('require.resolve("cria/package.json")')}
${body}
main();
`;

/** For bundles, whose own place is not the project's: the path comes with the command. */
export const bundled = `
import { Model } from "cria";
const path = process.argv[2];
${body}
main();
`;
