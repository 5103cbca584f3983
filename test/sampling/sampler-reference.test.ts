import {
  type Context,
  Grammar,
  Model,
  Sampler,
  type SamplerOptions,
  type SamplerStep,
} from "../../lib/index.js";
import { chosen } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { referenceSamples } from "../support/sampler-reference.js";

const TOKENS = 32;
const SEEDS = [0, 7, 2 ** 32 - 2];

let model: Model;
let context: Context;

beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 256 });
});
afterAll(() => model.dispose());

async function check(make: (seed: number) => Sampler): Promise<void> {
  const bos = model.specialTokens.bos as number;
  const prompt = Int32Array.of(bos, ...model.tokenize("Once upon a time, a small llama"));
  const samplers = SEEDS.map(make);
  const expected = await referenceSamples(prompt, samplers, TOKENS);
  for (const [index, sampler] of samplers.entries()) {
    const generation = context.generate(prompt, { sampler, maxTokens: TOKENS });
    expect([SEEDS[index], ...chosen(await generation.result())]).toEqual([
      SEEDS[index],
      ...(expected[index] as number[]),
    ]);
  }
}

function named(chains: readonly SamplerStep[][]) {
  return chains.map((steps) => ({ steps, name: steps.map(({ type }) => type).join(", ") }));
}

const letters = Grammar.gbnf('root ::= ([a-z]+ [ ,.]){4} "END"');
const json = Grammar.gbnf(
  'root ::= "{" pair ("," pair)* "}"\npair ::= "\\"" [a-z]+ "\\":" ([0-9]+ | "true" | "null")',
);
const dist: SamplerStep = { type: "dist" };
const greedy: SamplerStep = { type: "greedy" };
const cool: SamplerStep = { type: "temperature", value: 0.6 };
const hot: SamplerStep = { type: "temperature", value: 1.9 };
const top: SamplerStep = { type: "top-k", value: 30 };
const penalties: SamplerStep = { type: "penalties", repeat: 1.3, frequency: 0.4, presence: 0.2 };
const dry: SamplerStep = { type: "dry", multiplier: 0.9, breakers: [".", "\n"] };
const bias: SamplerStep = { type: "logit-bias", biases: { 300: 2, 301: Number.NEGATIVE_INFINITY } };

// The tokens of cria are those of the same chain driven through llama.h, token for token.

test.each(
  named([
    [greedy],
    [dist],
    [cool, dist],
    [hot, dist],
    [{ type: "dynamic-temperature", value: 1, range: 0.7, exponent: 1.5 }, dist],
    [{ type: "top-k", value: 5 }, dist],
    [{ type: "top-k", value: 0 }, dist],
    [{ type: "top-p", value: 0.8 }, dist],
    [{ type: "min-p", value: 0.1, minKeep: 4 }, dist],
    [{ type: "typical-p", value: 0.6 }, dist],
    [{ type: "top-n-sigma", value: 1.2 }, dist],
    [{ type: "xtc", probability: 0.6, threshold: 0.05 }, dist],
    [penalties, greedy],
    [dry, greedy],
    [bias, greedy],
    [top, { type: "infill" }, dist],
    [{ type: "mirostat", version: 1 }],
    [{ type: "mirostat", version: 2, tau: 3, eta: 0.3 }],
    [{ type: "adaptive-p", target: 0.3 }],
    [{ type: "grammar", grammar: letters }, greedy],
    [{ type: "grammar", grammar: json }, dist],
  ]),
)("a step alone: $name", ({ steps }) => check((seed) => Sampler.chain(steps, { seed })));

test.each(
  named([
    [hot, top, penalties, dist],
    [hot, bias, cool, penalties, top, { type: "min-p", value: 0.2, minKeep: 3 }, dist],
    [dry, penalties, bias, top, { type: "typical-p", value: 0.7 }, cool, dist],
    [{ type: "min-p", value: 0.01 }, { type: "top-k", value: 9 }, penalties, greedy],
    [{ type: "top-k", value: 500 }, top, { type: "top-p", value: 0.9 }, hot, dist],
    [{ type: "xtc", probability: 0.9, threshold: 0.02 }, top, hot, dist],
    [top, { type: "dynamic-temperature", value: 1, range: 0.9, exponent: 2 }, dry, dist],
    [top, { type: "xtc", probability: 0.5 }, { type: "adaptive-p", target: 0.5, decay: 0.5 }],
    [cool, penalties, { type: "mirostat", version: 2 }],
    [
      { type: "top-n-sigma", value: 1.5 },
      top,
      { type: "top-p", value: 0.9 },
      { type: "infill" },
      dist,
    ],
    [{ type: "grammar", grammar: json }, top, { type: "top-p", value: 0.9 }, hot, dist],
    [{ type: "grammar", grammar: letters }, top, { type: "typical-p", value: 0.5 }, dist],
    [penalties, { type: "grammar", grammar: json }, dry, bias, greedy],
    [hot, { type: "grammar", grammar: letters }, { type: "min-p", value: 0.1 }, dist],
    [{ type: "top-k", value: 1500 }, { type: "grammar", grammar: letters }, greedy],
    [{ type: "grammar", grammar: json }, { type: "xtc", probability: 0.5 }, hot, dist],
  ]),
)("a chain in any order: $name", ({ steps }) => check((seed) => Sampler.chain(steps, { seed })));

test.each<SamplerOptions>([
  {},
  { temperature: 0 },
  { temperature: 1.5, topK: 0, topP: 0.99, minP: 0 },
  { penalties: { repeat: 1.2 }, dry: { multiplier: 0.8 }, logitBias: { 320: 3 } },
  { topNSigma: 2, typicalP: 0.8, xtc: { probability: 0.5 } },
  { dynamicTemperature: { range: 0.5 } },
  { temperature: 0, typicalP: 0.5, xtc: { probability: 0.8, threshold: 0.05 } },
  { mirostat: { version: 1 }, penalties: { repeat: 1.2 } },
  { mirostat: { version: 2, tau: 4 } },
  { adaptiveP: { target: 0.4 }, topK: 0, topP: 1 },
  { grammar: json },
  { grammar: letters, temperature: 1.3, penalties: { presence: 0.5 } },
])("options: %j", (options) => check((seed) => new Sampler({ ...options, seed })));
