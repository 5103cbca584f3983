import { resolve } from "node:path";
import { type Context, Sampler, Sequence } from "../../lib/index.js";
import type { NativeCommand } from "../../lib/internal/native.js";
import { settled } from "../support/fake-context.js";
import { type FakeSequences, openSequence, until } from "../support/fake-sequences.js";

let native: FakeSequences;
let context: Context;
let sequence: Sequence;

beforeEach(async () => {
  ({ native, context, sequence } = await openSequence());
});

const code = (code: string) => expect.objectContaining({ code });

test("has no public constructor", () => {
  const Made = Sequence as unknown as new () => Sequence;
  expect(() => new Made()).toThrow(code("ERR_INVALID_ARGUMENT"));
});

describe("operations", () => {
  test("are the commands, in the order of the calls, one at a time", async () => {
    const greedy = Sampler.greedy();
    const all = Promise.all([
      sequence.evaluate("abc"),
      sequence.logits(),
      sequence.sample(greedy),
      sequence.evaluate([1, 2]),
      sequence.trim(2),
      sequence.save("a"),
      sequence.restore("b"),
      sequence.fork(),
    ]);
    await settled();
    expect(native.types().length).toBeLessThan(8);
    const [, logits, token, , , , , fork] = await all;
    expect(native.types()).toEqual([
      ...["evaluate", "logits", "sample", "evaluate", "trim", "save", "restore", "fork"],
    ]);
    for (const { command } of native.commands) expect(command).toMatchObject({ sequence: 0 });
    expect([logits, token]).toEqual([Float32Array.of(1), 3]);
    expect(fork.tokens).toEqual(Int32Array.of(4, 5));
  });

  test("that fail do not stop the next", async () => {
    native.hold("evaluate");
    const failing = sequence.evaluate("a");
    const next = sequence.save("file");
    await settled();
    native.refuse(native.last("evaluate").id, { code: "ERR_DECODE_FAILED", message: "no" });
    await expect(failing).rejects.toMatchObject({
      code: "ERR_DECODE_FAILED",
      stack: expect.stringMatching(/^CriaError: no\n.*sequence-queue\.test/),
    });
    await next;
    expect(sequence.tokens).toEqual(new Int32Array());
  });

  test.each<[string, () => Promise<unknown>]>([
    ["evaluate(3)", () => sequence.evaluate(3 as never)],
    ["evaluate([])", () => sequence.evaluate([])],
    ["evaluate([10])", () => sequence.evaluate([10])],
    ["evaluate with a wrong option", () => sequence.evaluate("x", { sgnal: 1 } as never)],
    ["evaluate with a wrong signal", () => sequence.evaluate("x", { signal: 1 } as never)],
    ["sample()", () => sequence.sample(undefined as never)],
    [
      "sample with a bias beyond the vocabulary",
      () => sequence.sample(new Sampler({ logitBias: { 10: 1 } })),
    ],
    ["sample of nothing", () => sequence.sample(Sampler.greedy())],
    ["logits of nothing", () => sequence.logits()],
    ["trim(-1)", () => sequence.trim(-1)],
    ["trim(0.5)", () => sequence.trim(0.5)],
    ["trim beyond the end", () => sequence.trim(1)],
    ["save('')", () => sequence.save("")],
    ["save with a NUL", () => sequence.save("a\0b")],
    ["restore(3)", () => sequence.restore(3 as never)],
  ])("%s rejects and commands nothing", async (_, call) => {
    await expect(call()).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
    expect(native.commands).toEqual([]);
  });

  test("copy their arguments at the call", async () => {
    const tokens = [1, 2];
    const done = sequence.evaluate(tokens);
    tokens[0] = 7;
    await done;
    expect(sequence.tokens).toEqual(Int32Array.of(1, 2));
  });

  test("resolve paths at the call", async () => {
    await Promise.all([sequence.save("x/../y"), sequence.restore("/tmp/z")]);
    expect(native.last("save").command.path).toBe(resolve("y"));
    expect(native.last("restore").command.path).toBe(resolve("/tmp/z"));
  });
});

describe("evaluate", () => {
  test("adds a BOS at the start of the sequence only", async () => {
    await sequence.evaluate("a");
    await sequence.evaluate("b");
    await sequence.trim(0);
    await sequence.evaluate("");
    const evaluated = native.commands
      .map(({ command }) => command)
      .filter(({ type }) => type === "evaluate");
    expect(evaluated).toMatchObject([
      { segments: ["a"], addBos: true },
      { segments: ["b"], addBos: false },
      { segments: [], addBos: true },
    ]);
    await sequence.evaluate("a");
    await expect(sequence.evaluate("")).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  });

  test("aborted before its turn commands nothing", async () => {
    const controller = new AbortController();
    native.hold("save");
    const saving = sequence.save("file");
    const evaluating = sequence.evaluate("a", { signal: controller.signal });
    controller.abort("stop");
    await expect(evaluating).rejects.toBe("stop");
    const { id } = await until(() => native.last("save"));
    native.answer(id, {});
    await saving;
    await settled();
    expect(native.types()).toEqual(["save"]);
    await expect(sequence.evaluate("a", { signal: AbortSignal.abort("x") })).rejects.toBe("x");
  });

  test("aborted while it runs rejects at once, and the next one waits for its end", async () => {
    native.hold("evaluate");
    const controller = new AbortController();
    const evaluating = sequence.evaluate("a", { signal: controller.signal });
    const next = sequence.save("file");
    const { id } = await until(() => native.last("evaluate"));
    controller.abort("stop");
    await expect(evaluating).rejects.toBe("stop");
    expect([native.cancelled, native.types()]).toEqual([[id], ["evaluate"]]);
    await next;
    expect(native.types()).toEqual(["evaluate", "save"]);
    expect(sequence.tokens).toEqual(new Int32Array());
  });

  test("aborted when it is through already is undone", async () => {
    await sequence.evaluate("abc");
    native.hold("evaluate");
    const controller = new AbortController();
    const evaluating = sequence.evaluate([1], { signal: controller.signal });
    const next = sequence.evaluate([2]);
    const { id } = await until(() => last("evaluate", 1));
    native.cancel = () => {}; // too late
    controller.abort("stop");
    await expect(evaluating).rejects.toBe("stop");
    native.answer(id, { tokens: Int32Array.of(3, 1) });
    await until(() => last("evaluate", 2));
    expect(native.types()).toEqual(["evaluate", "evaluate", "trim", "evaluate"]);
    expect(native.last("trim").command.length).toBe(1);
    native.answer(native.last("evaluate").id, { tokens: Int32Array.of(3, 2) });
    await next;
    expect(sequence.tokens).toEqual(Int32Array.of(3, 2));
  });
});

function last(type: NativeCommand["type"], index: number) {
  const found = native.commands.filter(({ command }) => command.type === type)[index];
  if (found === undefined) throw new Error("not yet");
  return found;
}

describe("tokens", () => {
  test("follow evaluate, trim and restore when they resolve", async () => {
    expect(sequence.tokens).toEqual(new Int32Array());
    const done = sequence.evaluate([1, 2, 3]);
    expect(sequence.tokens).toHaveLength(0);
    await done;
    expect(sequence.tokens).toEqual(Int32Array.of(1, 2, 3));
    await sequence.trim(2);
    expect(sequence.tokens).toEqual(Int32Array.of(1, 2));
    await sequence.restore("file");
    expect(sequence.tokens).toEqual(Int32Array.of(4, 5));
  });

  test("may be written to without effect on the sequence", async () => {
    await sequence.evaluate([1, 2, 3]);
    const { tokens } = sequence;
    tokens.fill(0);
    await sequence.trim(2);
    expect(sequence.tokens).toEqual(Int32Array.of(1, 2));
    expect(tokens).toEqual(new Int32Array(3));
    expect((await sequence.fork()).tokens).toEqual(Int32Array.of(1, 2));
  });
});

describe("samplers", () => {
  const sampled = () =>
    native.commands
      .map(({ command }) => command)
      .filter((command) => command.type === "sample")
      .map(({ sampler, seed }) => ({ sampler, seed }));

  test("have a number and a seed each, the same at every call", async () => {
    await sequence.evaluate([1]);
    const [a, b] = [new Sampler({ seed: 5 }), new Sampler()];
    for (const sampler of [a, b, a, b]) await sequence.sample(sampler);
    const [first, second, third, fourth] = sampled();
    expect([third, fourth]).toEqual([first, second]);
    expect(first?.seed).toBe(5);
    expect(first?.sampler).not.toBe(second?.sampler);
  });

  test("go along in a fork, and draw apart in sequences of their own", async () => {
    await sequence.evaluate([1]);
    const sampler = new Sampler();
    await sequence.sample(sampler);
    await (await sequence.fork()).sample(sampler);
    const other = await context.createSequence();
    await other.evaluate([1]);
    await other.sample(sampler);
    const [first, forked, apart] = sampled();
    expect(forked).toEqual(first);
    expect(apart?.sampler).not.toBe(first?.sampler);
    expect(apart?.seed).not.toBe(first?.seed);
  });

  test.each([
    ["trim", () => sequence.trim(1)],
    ["restore", () => sequence.restore("file")],
  ])("start anew after %s: with the same seed where there is one", async (_, reset) => {
    await sequence.evaluate([1, 2]);
    const [seeded, free] = [new Sampler({ seed: 5 }), new Sampler()];
    for (const sampler of [seeded, free]) await sequence.sample(sampler);
    await reset();
    for (const sampler of [seeded, free]) await sequence.sample(sampler);
    const [seededBefore, freeBefore, seededAfter, freeAfter] = sampled();
    expect(seededAfter?.seed).toBe(seededBefore?.seed);
    expect(freeAfter?.seed).not.toBe(freeBefore?.seed);
    expect(seededAfter?.sampler).not.toBe(seededBefore?.sampler);
  });
});
