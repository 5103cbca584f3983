import { Grammar, Sampler, type SamplerOptions, type SamplerStep } from "../../lib/index.js";
import { nativeSteps, recommendedSampler } from "../../lib/sampling/sampler.js";

const types = (sampler: Sampler) => sampler.steps.map(({ type }) => type);
const invalid = (message: RegExp) =>
  expect.objectContaining({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringMatching(message),
  });
const yes = Grammar.gbnf('root ::= "yes"');

describe("steps", () => {
  test("are the usual ones by default", () => {
    expect(new Sampler().steps).toEqual([
      { type: "top-k", value: 40 },
      { type: "top-p", value: 0.95 },
      { type: "min-p", value: 0.05 },
      { type: "temperature", value: 0.8 },
      { type: "dist" },
    ]);
  });

  test("stand in llama.cpp's order, whatever the options' order, the grammar first", () => {
    const options: SamplerOptions = {
      seed: 1,
      temperature: 1.5,
      xtc: { probability: 0.5 },
      minP: 0.1,
      topP: 0.5,
      typicalP: 0.9,
      topK: 10,
      topNSigma: 1.5,
      dry: { multiplier: 0.8, breakers: ["."] },
      penalties: { repeat: 1.1 },
      logitBias: { 5: -1 },
      grammar: yes,
    };
    expect(new Sampler(options).steps).toEqual([
      { type: "grammar", grammar: yes },
      { type: "logit-bias", biases: { 5: -1 } },
      { type: "penalties", lastN: 64, repeat: 1.1, frequency: 0, presence: 0 },
      {
        type: "dry",
        multiplier: 0.8,
        base: 1.75,
        allowedLength: 2,
        lastN: 64,
        breakers: ["."],
      },
      { type: "top-n-sigma", value: 1.5 },
      { type: "top-k", value: 10 },
      { type: "typical-p", value: 0.9 },
      { type: "top-p", value: 0.5 },
      { type: "min-p", value: 0.1 },
      { type: "xtc", probability: 0.5, threshold: 0.1 },
      { type: "temperature", value: 1.5 },
      { type: "dist" },
    ]);
  });

  test("leave out what has no effect", () => {
    const off: SamplerOptions = {
      topK: 0,
      topP: 1,
      minP: 0,
      temperature: 1,
      penalties: {},
      typicalP: 1,
      topNSigma: 0,
      dry: { multiplier: 0 },
      xtc: { probability: 0 },
      dynamicTemperature: { range: 0 },
    };
    expect(types(new Sampler(off))).toEqual(["dist"]);
    expect(types(new Sampler({ ...off, xtc: { probability: 1, threshold: 0.6 } }))).toEqual([
      "dist",
    ]);
    expect(types(new Sampler({ ...off, dry: { multiplier: 1, lastN: 0 } }))).toEqual(["dist"]);
  });

  test("let the temperature vary", () => {
    const options = { temperature: 1, dynamicTemperature: { range: 0.4 } };
    expect(new Sampler(options).steps.at(-2)).toEqual({
      type: "dynamic-temperature",
      value: 1,
      range: 0.4,
      exponent: 1,
    });
    expect(types(new Sampler({ ...options, temperature: 0 }))).toEqual([
      ...["top-k", "top-p", "min-p", "dynamic-temperature", "dist"],
    ]);
  });

  test("with mirostat are its own alone, as in llama.cpp", () => {
    const options: SamplerOptions = {
      mirostat: { version: 2, tau: 3 },
      penalties: { repeat: 2 },
      dry: { multiplier: 1 },
      xtc: { probability: 1 },
      dynamicTemperature: { range: 1 },
      logitBias: { 1: 1 },
      grammar: yes,
    };
    expect(new Sampler(options).steps).toEqual([
      { type: "grammar", grammar: yes },
      { type: "logit-bias", biases: { 1: 1 } },
      { type: "temperature", value: 0.8 },
      { type: "mirostat", version: 2, tau: 3, eta: 0.1 },
    ]);
    expect(types(new Sampler({ ...options, temperature: 1 }))).not.toContain("temperature");
    expect(types(new Sampler({ ...options, temperature: 0 }))).toEqual([
      ...["grammar", "logit-bias", "greedy"],
    ]);
  });

  test("end with adaptive-p in the place of the plain draw", () => {
    const sampler = new Sampler({ adaptiveP: { target: 0.5 }, topK: 0, topP: 1 });
    expect(sampler.steps).toEqual([
      { type: "min-p", value: 0.05 },
      { type: "temperature", value: 0.8 },
      { type: "adaptive-p", target: 0.5, decay: 0.9 },
    ]);
    expect(() => sampler.with({ mirostat: { version: 1 } })).toThrow(
      invalid(/either `mirostat` or `adaptiveP`/),
    );
  });

  test("are greedy at temperature 0, which needs no cuts", () => {
    expect(Sampler.greedy().steps).toEqual([{ type: "greedy" }]);
    const options = { temperature: 0, topK: 5, grammar: yes, logitBias: new Map([[1, 2]]) };
    expect(types(new Sampler(options))).toEqual(["grammar", "logit-bias", "greedy"]);
  });

  test("at temperature 0 keep the cuts that may take the likeliest token away", () => {
    const cuts = ["top-k", "top-p", "min-p"];
    expect(types(new Sampler({ temperature: 0, xtc: { probability: 1 } }))).toEqual([
      ...[...cuts, "xtc", "greedy"],
    ]);
    expect(types(new Sampler({ temperature: 0, typicalP: 0.5 }))).toEqual([
      ...["top-k", "typical-p", "top-p", "min-p", "greedy"],
    ]);
    expect(types(new Sampler({ temperature: 0, topNSigma: 1 }))).toEqual(["greedy"]);
  });

  test("and the sampler cannot be changed", () => {
    const biases = new Map([[3, 1]]);
    const sampler = new Sampler({ logitBias: biases });
    biases.set(3, 99);
    expect(sampler.steps[0]).toEqual({ type: "logit-bias", biases: { 3: 1 } });
    expect(Object.isFrozen(sampler)).toBe(true);
    expect(Object.isFrozen(sampler.steps)).toBe(true);
    for (const step of sampler.steps) expect(Object.isFrozen(step)).toBe(true);
  });
});

describe("with", () => {
  test("changes some settings and keeps the others", () => {
    const base = new Sampler({ topK: 7, seed: 3 });
    const changed = base.with({ temperature: 0.1, seed: 4 });
    expect(changed.steps).toEqual(new Sampler({ topK: 7, temperature: 0.1 }).steps);
    expect([base.seed, changed.seed]).toEqual([3, 4]);
    expect(types(Sampler.greedy().with({ grammar: yes }))).toEqual(["grammar", "greedy"]);
    expect(() => base.with({ topK: -1 })).toThrow(invalid(/topK/));
  });

  test("puts what works on single logits in front of a chain, or in its place", () => {
    const chain = Sampler.chain([
      { type: "penalties", repeat: 1.5 },
      { type: "top-k", value: 3 },
      { type: "dist" },
    ]);
    const changed = chain.with({ penalties: { repeat: 2 }, grammar: yes, seed: 9 });
    expect(changed.steps).toEqual([
      { type: "grammar", grammar: yes },
      { type: "penalties", lastN: 64, repeat: 2, frequency: 0, presence: 0 },
      { type: "top-k", value: 3 },
      { type: "dist" },
    ]);
    expect(changed.seed).toBe(9);
    expect(types(chain.with({ dry: { multiplier: 1 }, logitBias: { 1: 1 } }))).toEqual([
      ...["logit-bias", "dry", "penalties", "top-k", "dist"],
    ]);
    expect(() => chain.with({ temperature: 1 })).toThrow(invalid(/chain.*`temperature`/));
    expect(() => chain.with({ temprature: 1 } as SamplerOptions)).toThrow(
      invalid(/`temperature`\?/),
    );
  });
});

describe("chain", () => {
  test("keeps the given order and seed", () => {
    const steps: SamplerStep[] = [
      { type: "temperature", value: 2 },
      { type: "min-p", value: 0.2, minKeep: 3 },
      { type: "top-k", value: 4 },
      { type: "dist" },
    ];
    const sampler = Sampler.chain(steps, { seed: 5 });
    expect(sampler.steps).toEqual(steps);
    expect(sampler.seed).toBe(5);
    expect(Sampler.chain([{ type: "greedy" }]).steps).toEqual(Sampler.greedy().steps);
  });

  test("fills in the defaults", () => {
    const steps: SamplerStep[] = [
      { type: "dry", multiplier: 1 },
      { type: "dynamic-temperature", value: 1, range: 0.5 },
      { type: "xtc", probability: 0.5 },
      { type: "typical-p", value: 0.5 },
      { type: "mirostat", version: 1 },
    ];
    expect(Sampler.chain(steps).steps).toEqual([
      {
        type: "dry",
        multiplier: 1,
        base: 1.75,
        allowedLength: 2,
        lastN: 64,
        breakers: ["\n", ":", '"', "*"],
      },
      { type: "dynamic-temperature", value: 1, range: 0.5, exponent: 1 },
      { type: "xtc", probability: 0.5, threshold: 0.1, minKeep: 1 },
      { type: "typical-p", value: 0.5, minKeep: 1 },
      { type: "mirostat", version: 1, tau: 5, eta: 0.1, candidates: 100 },
    ]);
  });

  test("keeps infill from comparing too many candidates", () => {
    const infill = { type: "infill" } as const;
    const dist = { type: "dist" } as const;
    const topK = (value: number) => ({ type: "top-k", value }) as const;
    for (const steps of [
      [infill, dist],
      [infill, topK(5), dist],
      [topK(0), infill, dist],
      [topK(1001), infill, dist],
    ]) {
      expect(() => Sampler.chain(steps)).toThrow(invalid(/infill.*needs a "top-k" of 1 to 1000/));
    }
    expect(types(Sampler.chain([topK(1000), infill, dist]))).toEqual(["top-k", "infill", "dist"]);
  });

  test.each<[string, unknown, RegExp]>([
    ["no array", "dist", /an array of sampler steps/],
    ["nothing", [], /exactly one step that selects/],
    ["no selector", [{ type: "top-k", value: 1 }], /exactly one/],
    ["two selectors", [{ type: "greedy" }, { type: "dist" }], /exactly one/],
    [
      "two that draw",
      [
        { type: "adaptive-p", target: 0 },
        { type: "mirostat", version: 1 },
      ],
      /exactly one/,
    ],
    ["a selector in front", [{ type: "dist" }, { type: "top-k", value: 1 }], /exactly one/],
    ["two grammars", [1, 2].map(() => ({ type: "grammar", grammar: yes })), /exactly one/],
    ["an unknown type", [{ type: "topk", value: 1 }], /steps\[0\]\.type.*|did you mean "top-k"/],
    ["a prototype's name", [{ type: "constructor" }], /steps\[0\]\.type/],
    ["a misspelt field", [{ type: "top-k", vlaue: 1 }], /`value`\?/],
    ["a missing value", [{ type: "top-k" }, { type: "dist" }], /steps\[0\]\.value.*undefined/],
    ["a step of undefined", [undefined, { type: "dist" }], /steps\[0\]/],
    ["a step of null", [null], /a sampler step/],
    ["a grammar's source", [{ type: "grammar", grammar: "root ::= x" }], /a Grammar/],
  ])("refuses %s", (_, steps, message) => {
    expect(() => Sampler.chain(steps as SamplerStep[])).toThrow(invalid(message));
  });

  test("refuses two grammars", () => {
    const grammar = { type: "grammar", grammar: yes } as const;
    expect(() => Sampler.chain([grammar, grammar, { type: "dist" }])).toThrow(
      invalid(/at most one/),
    );
  });
});

describe("native steps", () => {
  test("are complete", () => {
    const sampler = new Sampler({
      logitBias: { 7: Number.NEGATIVE_INFINITY, 2: 1.5 },
      grammar: yes,
      penalties: { frequency: 0.5 },
    });
    expect(nativeSteps(sampler, 8)).toEqual([
      { type: "grammar", source: 'root ::= "yes"', root: "root" },
      {
        type: "logit-bias",
        tokens: Int32Array.of(2, 7),
        biases: Float32Array.of(1.5, Number.NEGATIVE_INFINITY),
      },
      { type: "penalties", lastN: 64, repeat: 1, frequency: 0.5, presence: 0 },
      { type: "top-k", value: 40 },
      { type: "top-p", value: 0.95, minKeep: 1 },
      { type: "min-p", value: 0.05, minKeep: 1 },
      { type: "temperature", value: 0.8 },
      { type: "dist" },
    ]);
    const cool = new Sampler({ dynamicTemperature: { range: 0.1 }, mirostat: { version: 1 } });
    expect(nativeSteps(cool, 8).at(-1)).toEqual({
      type: "mirostat",
      version: 1,
      tau: 5,
      eta: 0.1,
      candidates: 100,
    });
    const xtc = new Sampler({ xtc: { probability: 1 }, typicalP: 0.5 });
    expect(nativeSteps(xtc, 8)).toEqual([
      { type: "top-k", value: 40 },
      { type: "typical-p", value: 0.5, minKeep: 1 },
      { type: "top-p", value: 0.95, minKeep: 1 },
      { type: "min-p", value: 0.05, minKeep: 1 },
      { type: "xtc", probability: 1, threshold: 0.1, minKeep: 1 },
      { type: "temperature", value: 0.8 },
      { type: "dist" },
    ]);
  });

  test("have no temperature that overflows 32-bit floats", () => {
    const [step] = nativeSteps(
      Sampler.chain([{ type: "temperature", value: 1e-40 }, { type: "dist" }]),
      1,
    );
    expect(step).toEqual({ type: "temperature", value: 0 });
    const dynamic = new Sampler({ temperature: 1e-40, dynamicTemperature: { range: 0.5 } });
    expect(nativeSteps(dynamic, 1).at(-2)).toEqual({
      type: "dynamic-temperature",
      value: 0,
      range: 0.5,
      exponent: 1,
    });
  });

  test("refuse tokens that the vocabulary does not have", () => {
    const sampler = new Sampler({ logitBias: { 3: 1, 8: 1 } });
    expect(() => nativeSteps(sampler, 8)).toThrow(invalid(/below the vocabulary size 8.*got 8/));
  });
});

describe("recommended", () => {
  test("takes what the file says and the usual for the rest", () => {
    const metadata = new Map([
      ["general.sampling.temp", "0.600000"],
      ["general.sampling.top_k", "20"],
      ["general.sampling.penalty_repeat", "1.05"],
      ["general.sampling.penalty_last_n", "128"],
    ]);
    expect(recommendedSampler(metadata).steps).toEqual(
      new Sampler({ temperature: 0.6, topK: 20, penalties: { repeat: 1.05, lastN: 128 } }).steps,
    );
  });

  test("takes xtc and mirostat, too", () => {
    const xtc = new Map([
      ["general.sampling.xtc_probability", "0.500000"],
      ["general.sampling.xtc_threshold", "0.200000"],
    ]);
    expect(recommendedSampler(xtc).steps).toEqual(
      new Sampler({ xtc: { probability: 0.5, threshold: 0.2 } }).steps,
    );
    const mirostat = new Map([
      ["general.sampling.mirostat", "2"],
      ["general.sampling.mirostat_tau", "4.000000"],
    ]);
    expect(recommendedSampler(mirostat).steps).toEqual(
      new Sampler({ mirostat: { version: 2, tau: 4 } }).steps,
    );
  });

  test("gives way to what is asked for, setting by setting", () => {
    const metadata = new Map([
      ["general.sampling.temp", "0.6"],
      ["general.sampling.top_k", "20"],
      ["general.sampling.mirostat", "1"],
    ]);
    expect(recommendedSampler(metadata, { temperature: 0.2 }).steps).toEqual(
      new Sampler({ temperature: 0.2, topK: 20, mirostat: { version: 1 } }).steps,
    );
    // Each of them selects the token.
    expect(recommendedSampler(metadata, { adaptiveP: { target: 0.5 } }).steps).toEqual(
      new Sampler({ temperature: 0.6, topK: 20, adaptiveP: { target: 0.5 } }).steps,
    );
  });

  test("passes over values that make no sense", () => {
    const metadata = new Map([
      ["general.sampling.temp", "nan"],
      ["general.sampling.top_k", "-5"],
      ["general.sampling.top_p", "2"],
      ["general.sampling.min_p", ""],
      ["general.sampling.penalty_repeat", "0"],
      ["general.sampling.xtc_probability", "0"],
      ["general.sampling.xtc_threshold", "0.2"],
      ["general.sampling.mirostat", "0"],
    ]);
    expect(recommendedSampler(metadata).steps).toEqual(new Sampler().steps);
    expect(recommendedSampler(new Map()).steps).toEqual(new Sampler().steps);
  });
});
