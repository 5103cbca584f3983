// What only a GPU shows, on Mesa's lavapipe, which is one that computes on the CPU. Run by `npm run test:vulkan`.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Context,
  engineInfo,
  listDevices,
  Model,
  type Prompt,
  Sampler,
  type TokenLogprobs,
} from "../../lib/index.js";
import { QUIET, runScript } from "../support/child.js";
import { endTokens, forbidden, idsOf, PROMPTS } from "../support/demo.js";
import { MODEL, ROOT } from "../support/paths.js";

const TOKENS = 48;

let model: Model;
beforeAll(async () => {
  model = await Model.load(MODEL);
});
afterAll(() => model.dispose());

/** So many tokens that belong to no prompt of the demo's. */
const long = (length: number) => new Int32Array(length).fill(model.tokenize("a")[0] as number);

test("the engine is Vulkan's, and has a GPU", () => {
  expect(engineInfo().backend).toBe("vulkan");
  expect(listDevices().map(({ type }) => type)).toContain("gpu");
});

test("the first loads of a process may come together, five times", async () => {
  for (let round = 0; round < 5; round++) {
    expect(await runScript("vulkan/first-loads.mjs")).toEqual(QUIET);
  }
});

interface Greedy {
  readonly tokens: number[];
  readonly logprobs: TokenLogprobs[];
}

/** By another engine than this process has. */
async function greedyOf(binary: string): Promise<Greedy[]> {
  const asked = JSON.stringify({ prompts: PROMPTS, maxTokens: TOKENS });
  const env = { CRIA_BINARY: binary };
  const { stdout, ...end } = await runScript("vulkan/greedy-tokens.mjs", { args: [asked], env });
  expect(end).toEqual({ code: 0, signal: null, stderr: "" });
  return JSON.parse(stdout);
}

const logprobOf = ({ top }: TokenLogprobs, token: number) =>
  top.find((entry) => entry.token === token)?.logprob ?? Number.NEGATIVE_INFINITY;

test("greedy text is the CPU's, but for near ties", async () => {
  const cpu = await greedyOf(join(ROOT, "build", "Release", "cria.node"));
  const gpu = await greedyOf(process.env.CRIA_BINARY as string);
  const gaps: number[] = [];
  let same = 0;
  for (const [index, { tokens, logprobs }] of cpu.entries()) {
    const others = gpu[index]?.tokens ?? [];
    expect(others.length).toBe(TOKENS);
    const at = tokens.findIndex((token, i) => others[i] !== token);
    same += at < 0 ? TOKENS : at;
    if (at < 0) continue;
    const place = logprobs[at] as TokenLogprobs;
    gaps.push(place.logprob - logprobOf(place, others[at] as number));
  }
  console.log(
    `greedy: ${same} tokens are the CPU's; ${gaps.length} of ${cpu.length} texts part at a near tie` +
      `${gaps.length > 0 ? `, by ${gaps.map((gap) => gap.toFixed(4)).join(", ")} in log-probability` : ""}`,
  );
  // Both round what the weights are multiplied with to fewer bits, and not alike.
  for (const gap of gaps) expect(gap).toBeLessThan(0.5);
  expect(same).toBeGreaterThan((PROMPTS.length * TOKENS) / 2);
});

const ALL = () => Array.from({ length: model.vocabularySize }, (_, token) => token);

test("a prompt has the same log-probabilities each time, and nearly those behind a cached prefix", async () => {
  const context = await model.createContext({ contextSize: 512, kvCache: "per-sequence" });
  const prompt = Int32Array.from(PROMPTS.flatMap((one: Prompt) => [...idsOf(model, one)]));
  const score = (cachePrompt: boolean) => context.score(prompt, ALL(), { cachePrompt });
  const cold = await score(false);
  expect(await score(false)).toEqual(cold);
  const { usage } = await context.generate(prompt, { maxTokens: 1 }).result();
  expect(usage.promptTokens).toBe(prompt.length);
  const cached = await score(true);
  const best = cold.indexOf(Math.max(...cold));
  expect(Math.abs((cached[best] as number) - (cold[best] as number))).toBeLessThan(0.5);
  await context.dispose();
});

describe("what cannot be stopped is cut small", () => {
  let context: Context;
  beforeAll(async () => {
    context = await model.createContext({ contextSize: 4096 });
  });
  afterAll(() => context.dispose());

  // This device takes far longer than 60 ms for a micro-batch of 512.
  test("a long prompt is evaluated in pieces of fewer rows than a micro-batch", async () => {
    const { batches } = context.stats;
    await context.generate(long(3000), { maxTokens: 1, cachePrompt: false }).result();
    expect(context.stats.batches - batches).toBeGreaterThan(2 * Math.ceil(3000 / 512));
  });

  test("an aborted prompt costs the next request no more than the piece under way", async () => {
    for (let round = 0; round < 5; round++) {
      const controller = new AbortController();
      let evaluated = 0;
      let total = 0;
      await new Promise<void>((resolve) => {
        const generation = context.generate(long(3000), {
          cachePrompt: false,
          signal: controller.signal,
          onProgress: (done, of) => {
            evaluated = done;
            total = of;
            if (done > round * 300) resolve();
          },
        });
        generation.result().catch(() => {});
      });
      const { batches } = context.stats;
      controller.abort("enough");
      const { text } = await context.generate("The", { maxTokens: 1, cachePrompt: false }).result();
      expect(evaluated).toBeLessThan(total);
      expect(text).not.toBe("");
      // The piece under way, perhaps one more, "The".
      expect(context.stats.batches - batches).toBeLessThanOrEqual(4);
    }
  });
});

describe("faults of the GPU", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "cria-fault-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const env = () => ({
    LD_PRELOAD: process.env.CRIA_TEST_FAILING_DRIVER,
    CRIA_TEST_VULKAN_FAULT: join(directory, "fault"),
  });

  async function outcome(phase: string, fault: string) {
    const { stdout, ...end } = await runScript("vulkan/faults.mjs", {
      args: [phase, fault],
      env: env(),
    });
    expect(end).toEqual({ code: 0, signal: null, stderr: "" }); // ggml says nothing on stderr, either
    return JSON.parse(stdout);
  }

  test.each(["load", "open", "decode"])(
    "exhausted memory during %s has its code, and what comes after works",
    async (phase) => {
      const { failed, again, after } = await outcome(phase, "memory");
      expect(failed).toMatchObject({ code: "ERR_OUT_OF_MEMORY" });
      expect(failed.message).toMatch(/memory/i);
      if (phase === "decode") expect(again.code).toBe("ERR_OUT_OF_MEMORY");
      expect(after).toEqual({ text: expect.any(String) });
    },
  );

  test("a lost device has its code, and the process lives on", async () => {
    const { failed, again } = await outcome("decode", "lost");
    expect([failed.code, again.code]).toEqual(["ERR_DEVICE_LOST", "ERR_DEVICE_LOST"]);
    expect(failed.message).toMatch(/start it again, or use the CPU/);
  });

  test("the process may exit while the first load opens a device", async () => {
    const end = await runScript("vulkan/exit-while-opening.mjs", { env: env() });
    expect(end).toEqual({ ...QUIET, code: 7 });
  });

  test("a device that is not there is none, without a word", async () => {
    const { code, stdout, stderr } = await runScript("vulkan/greedy-tokens.mjs", {
      args: [JSON.stringify({ prompts: ["The"], maxTokens: 4 })],
      env: { GGML_VK_VISIBLE_DEVICES: "7" },
    });
    expect([code, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)[0].tokens.length).toBe(4); // on the CPU
  });
});

describe("one device shown twice", () => {
  const cases = [
    {},
    { devices: ["Vulkan1"] },
    { devices: ["Vulkan0", "Vulkan1"], tensorSplit: [1, 3] },
    { splitMode: "none", mainGpu: 1 },
  ] as const;

  test.each(cases.map((options) => [JSON.stringify(options)]))("%s", async (options) => {
    const { stdout, ...end } = await runScript("vulkan/split.mjs", {
      args: [options],
      env: { GGML_VK_VISIBLE_DEVICES: "0,0" },
    });
    expect(end).toEqual({ code: 0, signal: null, stderr: "" });
    const { devices, text } = JSON.parse(stdout);
    expect(devices.map(({ type }: { type: string }) => type)).toEqual(["gpu", "gpu", "cpu"]);
    const context = await model.createContext({ contextSize: 64 });
    const sampler = new Sampler({ temperature: 0, logitBias: forbidden(endTokens(model)) });
    const alone = await context.generate("The", { sampler, maxTokens: 12 }).result();
    expect(text).toBe(alone.text);
    await context.dispose();
  });
});
