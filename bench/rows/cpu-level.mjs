// What a prebuilt engine gives away: it picks one of its CPU levels, a build here is for this processor.

import { existsSync } from "node:fs";
import path from "node:path";
import { cria, perSecond } from "../sides.mjs";
import { workDirectory } from "../upstream.mjs";

const engine = (file, command) => {
  const found = path.join(workDirectory, "../..", file);
  if (!existsSync(found)) throw new Error(`${file} is not there: ${command}`);
  return found;
};
const native = () => engine("build/Release/cria.node", "npm run build:native");
const portable = () => engine(".build/local-portable/cria.node", "npm run build:portable");

/** The same work in both engines; `evaluated` is what the rate counts. */
function level({ name, title, model, repetitions, evaluated, work }) {
  const side =
    (file) =>
    async ({ model, settings, repetitions, quick }) => {
      const tokens = quick ? evaluated / 4 : evaluated;
      const asked = { work: "generate", sequences: 1, model, settings, repetitions };
      return (await cria({ ...asked, ...work(tokens) }, [], { CRIA_BINARY: file() })).map(
        perSecond(tokens),
      );
    };
  return {
    name: `level-${name}-${model}`,
    title: `prebuilt: ${title}`,
    model,
    reference: "a build for this processor",
    unit: "tok/s",
    wanted: { ratio: { atLeast: 0.97 } },
    repetitions,
    a: side(native),
    b: side(portable),
  };
}

const decode = {
  name: "decode",
  title: "one generation of 128 tokens",
  evaluated: 128,
  work: (tokens) => ({ prompt: 1, tokens: tokens + 1, contextSize: 256 }),
};
const prefill = {
  name: "prefill",
  title: "a prompt of 512 tokens",
  evaluated: 512,
  work: (tokens) => ({ prompt: tokens, tokens: 1, contextSize: 768 }),
};

export const cpuLevels = [
  level({ ...decode, model: "90m" }),
  level({ ...decode, model: "1b", repetitions: 1 }),
  level({ ...prefill, model: "90m" }),
  level({ ...prefill, model: "1b", repetitions: 1 }),
];
