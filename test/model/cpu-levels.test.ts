import { join } from "node:path";
import { runNode } from "../support/child.js";
import { CPU_LEVELS } from "../support/cpu-level.js";
import { DIST, MODEL, ROOT } from "../support/paths.js";

const portable = join(ROOT, ".build", "local-portable", "cria.node");

const script = `
const { Model, engineInfo } = require(${JSON.stringify(join(DIST, "index.cjs"))});
(async () => {
  try {
    const { cpuLevel, cpuFeatures } = engineInfo();
    const model = await Model.load(${JSON.stringify(MODEL)});
    const context = await model.createContext({ contextSize: 128 });
    const options = { temperature: 0, maxTokens: 24, logprobs: 2 };
    const { text } = await context.generateText("A llama", options);
    console.log(JSON.stringify({ cpuLevel, cpuFeatures, text }));
  } catch ({ code, message }) {
    console.log(JSON.stringify({ code, message }));
  }
})();
`;

interface Answer {
  cpuLevel?: string;
  cpuFeatures?: string[];
  text?: string;
  code?: string;
  message?: string;
}

async function answerAt(level: string): Promise<Answer> {
  const env = { CRIA_BINARY: portable, CRIA_CPU_LEVEL: level };
  const { stdout, ...end } = await runNode(["-e", script], { env });
  expect(end).toEqual({ code: 0, signal: null, stderr: "" });
  return JSON.parse(stdout);
}

/** Those that this CPU has, as the engine itself says: at least the lowest. */
async function levelsHere(): Promise<string[]> {
  const { cpuLevel } = await answerAt("");
  return CPU_LEVELS.slice(CPU_LEVELS.indexOf(cpuLevel!));
}

test("the engine takes the highest level of this CPU, and says so", async () => {
  const { cpuLevel, text } = await answerAt("");
  expect(CPU_LEVELS.length === 0 ? ["portable"] : CPU_LEVELS).toContain(cpuLevel);
  expect(text).toMatch(/\w{3}/);
});

test("each level computes, with no more instructions than its own", async () => {
  const levels = await levelsHere();
  const answers = await Promise.all(levels.map(answerAt));
  expect(answers.map(({ cpuLevel }) => cpuLevel)).toEqual(levels);
  expect(new Set(answers.map(({ text }) => text)).size).toBe(levels.length === 0 ? 0 : 1);
  const lowest = answers.at(-1)?.cpuFeatures ?? [];
  expect(lowest.filter((name) => /^(AVX|FMA|F16C|DOTPROD|MATMUL)/.test(name))).toEqual([]);
});

test("a level that this CPU lacks, or nobody knows, is refused", async () => {
  const levels = await levelsHere();
  for (const level of CPU_LEVELS.filter((name) => !levels.includes(name))) {
    const { code, message } = await answerAt(level);
    expect(code).toBe("ERR_UNSUPPORTED_CPU");
    expect(message).toContain(levels.join(", "));
  }
  expect(await answerAt("mmx")).toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringMatching(/for CRIA_CPU_LEVEL .*, got mmx/),
  });
});
