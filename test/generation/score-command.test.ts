import { getEventListeners } from "node:events";
import type { Context } from "../../lib/index.js";
import { FakeNativeContext, openFake, settled } from "../support/fake-context.js";

let native: FakeNativeContext;
let context: Context;

beforeEach(async () => {
  native = new FakeNativeContext();
  context = await openFake(native);
});

const code = (code: string) => expect.objectContaining({ code });

test("is one command with checked copies, and resolves to its values", async () => {
  const candidates = [3, 1, 3];
  const scores = context.score([{ control: "<e>" }, { text: "a" }], candidates);
  candidates[0] = 7;
  const { id, command } = native.last("score");
  expect(command).toEqual({
    type: "score",
    segments: [Int32Array.of(9), "a"],
    addBos: false,
    candidates: Int32Array.of(3, 1, 3),
    counts: Int32Array.of(3),
    reuse: "any",
    adapters: [],
  });
  native.answer(id, { values: Float32Array.of(-1, -2, -1) });
  expect(await scores).toEqual(Float32Array.of(-1, -2, -1));
});

test("takes a string with BOS, the whole vocabulary, and cachePrompt", () => {
  const all = Int32Array.from({ length: 10 }, (_, i) => i);
  context.score("x", all, { cachePrompt: false }).catch(() => {});
  const { command } = native.last("score");
  expect(command).toMatchObject({ segments: ["x"], addBos: true, reuse: "none" });
  expect(command.candidates).toEqual(all);
  expect(command.candidates).not.toBe(all);
});

test.each([
  [3, [1], undefined],
  [[], [1], undefined],
  ["x", [], undefined],
  ["x", new Int32Array(11), undefined],
  ["x", [10], undefined],
  ["x", [-1], undefined],
  ["x", [0.5], undefined],
  ["x", "1", undefined],
  ["x", Float32Array.of(1), undefined],
  ["x", undefined, undefined],
  ["x", [1], { signal: {} }],
  ["x", [1], { cachePrompt: 1 }],
  ["x", [1], { cachPrompt: true }],
])("score(%p, %p, %p) rejects", async (prompt, candidates, options) => {
  const scores = context.score(prompt as never, candidates as never, options as never);
  await expect(scores).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  expect(native.commands).toEqual([]);
});

describe("signal", () => {
  test("aborted before: rejects and commands nothing", async () => {
    const scores = context.score("x", [1], { signal: AbortSignal.abort("early") });
    await expect(scores).rejects.toBe("early");
    expect(native.commands).toEqual([]);
  });

  test("aborted during: rejects at once and cancels, whatever is answered then", async () => {
    const { signal, ...controller } = controllerOf();
    const scores = context.score("x", [1], { signal });
    controller.abort("during");
    await expect(scores).rejects.toBe("during");
    expect(native.cancelled).toEqual([1]);
    await settled();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("aborted after the end changes nothing", async () => {
    const { signal, ...controller } = controllerOf();
    const scores = context.score("x", [1], { signal });
    native.answer(1, { values: Float32Array.of(-1) });
    await settled();
    expect(getEventListeners(signal, "abort")).toEqual([]);
    controller.abort();
    expect(await scores).toEqual(Float32Array.of(-1));
    expect(native.cancelled).toEqual([]);
  });
});

function controllerOf() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason?: unknown) => controller.abort(reason) };
}

describe("errors", () => {
  test("of the engine have the caller's stack", async () => {
    const scores = context.score("x", [1]);
    native.refuse(1, { code: "ERR_CONTEXT_FULL", message: "too long" });
    const error = (await scores.catch((reason: unknown) => reason)) as Error;
    expect(error).toMatchObject({ code: "ERR_CONTEXT_FULL", message: "too long" });
    expect(error.stack).toMatch(/^CriaError: too long\n.*score-command\.test/);
  });

  test("thrown by the addon reject", async () => {
    for (const name of ["ERR_DISPOSED", "ERR_INVALID_ARGUMENT", "ERR_OUT_OF_MEMORY"]) {
      native.submitError = Object.assign(new Error("no"), { code: name });
      await expect(context.score("x", [1])).rejects.toEqual(code(name));
    }
  });

  test("an answer without its field is ERR_INTERNAL", async () => {
    const scores = context.score("x", [1]);
    native.answer(1, {});
    await expect(scores).rejects.toEqual(code("ERR_INTERNAL"));
  });
});

test("disposing the context rejects what is pending and all that comes later", async () => {
  const pending = context.score("x", [1]);
  const closing = context.dispose();
  await expect(pending).rejects.toEqual(code("ERR_DISPOSED"));
  await expect(context.score("x", [1])).rejects.toEqual(code("ERR_DISPOSED"));
  await closing;
});

test("generations and commands have ids of one row, and each gets its own news", async () => {
  const generation = context.generate("x");
  const scores = context.score("x", [1]);
  expect([native.requests[0]?.id, native.commands[0]?.id]).toEqual([1, 2]);
  native.answer(2, { values: Float32Array.of(-3) });
  native.text(1, "a", 1);
  native.finish(1);
  expect((await generation.result()).text).toBe("a");
  expect(await scores).toEqual(Float32Array.of(-3));
});
