import {
  type BatchRequest,
  type Context,
  type GenerateManyOptions,
  type GenerateOptions,
  Grammar,
  Sampler,
  type SamplerOptions,
} from "../../lib/index.js";
import type { NativeSamplerStep } from "../../lib/internal/native.js";
import { nativeSteps } from "../../lib/sampling/sampler.js";
import { FakeNativeContext, nativeResult, openFake, settled } from "../support/fake-context.js";

let native: FakeNativeContext;
let context: Context;

beforeEach(async () => {
  native = new FakeNativeContext();
  context = await openFake(native, 4);
});

const invalid = (message: RegExp) =>
  expect.objectContaining({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringMatching(message),
  });

const stepsOf = (options: SamplerOptions) => nativeSteps(new Sampler(options), 10);
const chain = Sampler.chain([{ type: "top-k", value: 3 }, { type: "dist" }]);

/** What the model's file recommends. */
function recommend(values: Record<string, string>): void {
  const metadata = context.model.metadata as Map<string, string>;
  for (const [key, value] of Object.entries(values)) metadata.set(`general.sampling.${key}`, value);
}

describe("sampling options of a generation", () => {
  function asked(options: GenerateOptions): {
    sampler: readonly NativeSamplerStep[];
    seed: number;
  } {
    context.generate("x", options);
    const { sampler, seed } = native.requests.at(-1) as (typeof native.requests)[number];
    return { sampler, seed };
  }

  test.each<SamplerOptions>([
    { temperature: 0 },
    { temperature: 0.5, topK: 3, topP: 0.9, minP: 0, seed: 11 },
    { typicalP: 0.5, topNSigma: 1, dynamicTemperature: { range: 0.5 } },
    { penalties: { repeat: 1.1 }, dry: { multiplier: 1 }, xtc: { probability: 0.5 } },
    { mirostat: { version: 2 } },
    { adaptiveP: { target: 0.5 } },
    { grammar: Grammar.gbnf('root ::= "x"'), logitBias: { 3: 1 } },
  ])("are those of a Sampler: %j", (options) => {
    const { sampler, seed } = asked(options);
    expect(sampler).toEqual(stepsOf(options));
    if (options.seed !== undefined) expect(seed).toBe(options.seed);
  });

  test("leave what the model's file recommends besides", () => {
    recommend({ temp: "0.6", top_k: "20", penalty_repeat: "1.05" });
    const penalties = { repeat: 1.05 };
    expect(asked({}).sampler).toEqual(stepsOf({ temperature: 0.6, topK: 20, penalties }));
    expect(asked({ temperature: 0.5 }).sampler).toEqual(
      stepsOf({ temperature: 0.5, topK: 20, penalties }),
    );
    expect(asked({ topK: 5, penalties: {} }).sampler).toEqual(
      stepsOf({ temperature: 0.6, topK: 5 }),
    );
    expect(asked({ sampler: new Sampler() }).sampler).toEqual(stepsOf({}));
  });

  test("choose the token in place of the file's mirostat", () => {
    recommend({ mirostat: "2" });
    expect(asked({ adaptiveP: { target: 0.5 } }).sampler).toEqual(
      stepsOf({ adaptiveP: { target: 0.5 } }),
    );
    expect(asked({ temperature: 0.5 }).sampler).toEqual(
      stepsOf({ temperature: 0.5, mirostat: { version: 2 } }),
    );
  });

  test("cannot be given together with a sampler", () => {
    for (const sampler of [new Sampler(), chain]) {
      expect(() => context.generate("x", { sampler, topK: 1 })).toThrow(
        invalid(/`options\.topK` cannot be given together with `options\.sampler`.*with\(\{ topK/),
      );
      context.generate("x", { sampler, topK: undefined } as never);
    }
    expect(() => context.generateMany([], { sampler: chain, seed: 1 })).toThrow(
      invalid(/`options\.seed` cannot be given together/),
    );
    expect(() =>
      context.generate("x", { mirostat: { version: 1 }, adaptiveP: { target: 0.5 } }),
    ).toThrow(invalid(/either `mirostat` or `adaptiveP`/));
  });
});

describe("sampling options of a batch and of its requests", () => {
  /** What each request asks the engine for. */
  async function asked(requests: readonly BatchRequest[], options: GenerateManyOptions) {
    const errors: unknown[] = [];
    const results = context.generateMany(requests, options);
    const done = (async () => {
      for await (const { error } of results) if (error !== undefined) errors.push(error);
    })();
    await settled();
    for (const { id } of native.requests) native.finish(id);
    await done;
    return { errors, samplers: native.requests.map(({ sampler }) => sampler) };
  }

  test("a request's change one setting and leave the others", async () => {
    recommend({ top_p: "0.7" });
    const requests = [
      { prompt: "a" },
      { prompt: "b", temperature: 0.3 },
      { prompt: "c", minP: 0.2 },
    ];
    const { samplers, errors } = await asked(requests, { temperature: 0.5, topK: 7 });
    expect(errors).toEqual([]);
    expect(samplers).toEqual([
      stepsOf({ topP: 0.7, temperature: 0.5, topK: 7 }),
      stepsOf({ topP: 0.7, temperature: 0.3, topK: 7 }),
      stepsOf({ topP: 0.7, temperature: 0.5, topK: 7, minP: 0.2 }),
    ]);
  });

  test("a request's change one setting of the batch's sampler", async () => {
    recommend({ top_p: "0.7" });
    const sampler = new Sampler({ temperature: 0.5, topK: 7 });
    const requests = [{ prompt: "a" }, { prompt: "b", temperature: 0.3 }];
    const { samplers } = await asked(requests, { sampler });
    expect(samplers).toEqual([
      stepsOf({ temperature: 0.5, topK: 7 }),
      stepsOf({ temperature: 0.3, topK: 7 }),
    ]);
  });

  test("a request's sampler replaces all of the batch's", async () => {
    const sampler = new Sampler({ minP: 0.3 });
    for (const options of [{ temperature: 0.5, topK: 7 }, { sampler: chain }]) {
      native.requests.length = 0;
      const { samplers } = await asked([{ prompt: "a", sampler }], options);
      expect(samplers).toEqual([stepsOf({ minP: 0.3 })]);
    }
  });

  test("what a request cannot have is its own error", async () => {
    const requests: BatchRequest[] = [
      { prompt: "a", temperature: -1 },
      { prompt: "b", sampler: chain, topK: 1 },
      { prompt: "c" },
    ];
    const { errors, samplers } = await asked(requests, { topK: 2 });
    expect(errors).toEqual([
      invalid(/`options\.temperature`, got -1/),
      invalid(/`options\.topK` cannot be given together/),
    ]);
    expect(samplers).toHaveLength(1);
  });

  test("a chain refuses what has no place in it", async () => {
    const requests = [
      { prompt: "a", temperature: 0.5 },
      { prompt: "b", seed: 3 },
    ];
    const { errors, samplers } = await asked(requests, { sampler: chain });
    expect(errors).toEqual([invalid(/made by Sampler\.chain cannot take `temperature`/)]);
    expect(samplers).toEqual([nativeSteps(chain, 10)]);
    expect(native.requests[0]?.seed).toBe(3);
  });

  test("those of the batch are as they were when it began", async () => {
    const penalties = { repeat: 1.2 };
    const results = context.generateMany([{ prompt: "a" }], { penalties });
    penalties.repeat = 2;
    const next = results.next();
    await settled();
    native.finish(1);
    await next;
    expect(native.requests[0]?.sampler).toEqual(stepsOf({ penalties: { repeat: 1.2 } }));
  });

  test("names that look like options are refused, data of one's own is not", async () => {
    const requests = [
      { prompt: "a", top_p: 0.5 },
      { prompt: "b", topic: "wool", speed: 3, temp: 1 },
    ];
    const { errors, samplers } = await asked(requests, {});
    expect(errors).toEqual([invalid(/"top_p" in `requests\[0\]`: did you mean `topP`\?/)]);
    expect(samplers).toHaveLength(1);
  });
});

test("one stop string is a list of one, in a batch, too", async () => {
  context.generate("x", { stop: "end" });
  const next = context.generateMany([{ prompt: "a" }, { prompt: "b", stop: "\n" }], {
    stop: "end",
  });
  const first = next.next();
  await settled();
  expect(native.requests.map(({ stop }) => stop)).toEqual([["end"], ["end"], ["\n"]]);
  await context.dispose();
  await first.catch(() => {});
});

describe("generateText", () => {
  test("resolves with the result", async () => {
    const text = context.generateText("x", { temperature: 0 });
    native.news({ id: 1, text: "yes", tokens: Int32Array.of(3) });
    native.finish(1, nativeResult());
    expect(await text).toMatchObject({ text: "yes", stopReason: "end-of-turn" });
  });

  test("rejects where generate() throws, and where the generation fails", async () => {
    await expect(context.generateText("x", { topK: -1 })).rejects.toEqual(invalid(/options\.topK/));
    const failing = context.generateText("x");
    native.refuse(1, { code: "ERR_CONTEXT_FULL", message: "too long" });
    await expect(failing).rejects.toMatchObject({ code: "ERR_CONTEXT_FULL" });
    await context.dispose();
    await expect(context.generateText("x")).rejects.toMatchObject({ code: "ERR_DISPOSED" });
  });
});
