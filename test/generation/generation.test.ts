import {
  type Context,
  CriaError,
  type Generation,
  type GenerationChunk,
  Sampler,
} from "../../lib/index.js";
import { FakeNativeContext, openFake, settled } from "../support/fake-context.js";

let native: FakeNativeContext;
let context: Context;

beforeEach(async () => {
  native = new FakeNativeContext();
  context = await openFake(native);
});

async function collect(generation: AsyncIterable<GenerationChunk>): Promise<GenerationChunk[]> {
  const chunks: GenerationChunk[] = [];
  for await (const chunk of generation) chunks.push(chunk);
  return chunks;
}

const code = (code: string) => expect.objectContaining({ code });

describe("request", () => {
  test("carries the checked prompt and options down in one call", () => {
    const sampler = new Sampler({ temperature: 0.5, topK: 3, topP: 0.9, minP: 0, seed: 11 });
    const stop = ["\n"];
    context.generate([{ text: "a" }, { control: "<e>" }, { tokens: [1, 2] }, { text: "" }], {
      sampler,
      maxTokens: 4,
      stop,
      special: true,
      onProgress: () => {},
    });
    expect(native.requests).toEqual([
      {
        id: 1,
        segments: ["a", Int32Array.of(9, 1, 2)],
        addBos: false,
        adapters: [],
        sampler: [
          { type: "top-k", value: 3 },
          { type: "top-p", value: 0.9, minKeep: 1 },
          { type: "temperature", value: 0.5 },
          { type: "dist" },
        ],
        seed: 11,
        maxTokens: 4,
        stop: ["\n"],
        special: true,
        progress: true,
        logprobs: -1,
        reuse: "any",
        maxPause: 50,
        reasoning: null,
        shown: [],
      },
    ]);
  });

  test("says how long others' prompts may hold it up", () => {
    context.generate("x", { maxPause: Number.POSITIVE_INFINITY });
    expect(native.requests[0]?.maxPause).toBe(Number.POSITIVE_INFINITY);
    for (const maxPause of [-1, Number.NaN, "50"]) {
      const generate = () => context.generate("x", { maxPause: maxPause as number });
      expect(generate).toThrow("Expected a number of milliseconds from 0, or Infinity,");
    }
  });

  test("has new ids, and new seeds where none is given", () => {
    for (let i = 0; i < 20; i++) context.generate("x");
    expect(native.requests.map(({ id }) => id)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    const seeds = native.requests.map(({ seed }) => seed);
    expect(new Set(seeds).size).toBeGreaterThan(15);
    for (const seed of seeds)
      expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32 - 1).toBe(true);
  });
});

describe("iteration", () => {
  test("yields what came, in order, and ends with the generation", async () => {
    const generation = context.generate("x");
    const chunks = collect(generation);
    native.text(1, "one", 1);
    await settled();
    native.text(1, " two", 2, 3);
    await settled();
    native.finish(1);
    expect(await chunks).toEqual([
      { text: "one", tokens: Int32Array.of(1) },
      { text: " two", tokens: Int32Array.of(2, 3) },
    ]);
  });

  test("gives a slow reader one big chunk, not a queue", async () => {
    const generation = context.generate("x");
    for (let i = 0; i < 1000; i++) native.text(1, "ab", i % 10);
    native.finish(1);
    const [chunk, ...rest] = await collect(generation);
    expect(rest).toEqual([]);
    expect(chunk?.text).toBe("ab".repeat(1000));
    expect(chunk?.tokens).toEqual(Int32Array.from({ length: 1000 }, (_, i) => i % 10));
  });

  test("holds tokens without text back for the next text, and gives the last ones alone", async () => {
    const generation = context.generate("x");
    const chunks = collect(generation);
    native.text(1, "", 1);
    await settled();
    native.text(1, "é", 2);
    await settled();
    native.text(1, "", 3);
    native.finish(1);
    expect(await chunks).toEqual([
      { text: "é", tokens: Int32Array.of(1, 2) },
      { text: "", tokens: Int32Array.of(3) },
    ]);
  });

  test("serves several outstanding next() in order", async () => {
    const iterator = context.generate("x")[Symbol.asyncIterator]();
    const steps = Promise.all([iterator.next(), iterator.next(), iterator.next()]);
    native.text(1, "a", 1);
    native.text(1, "b", 2);
    native.finish(1);
    expect(await steps).toEqual([
      { done: false, value: { text: "a", tokens: Int32Array.of(1) } },
      { done: false, value: { text: "b", tokens: Int32Array.of(2) } },
      { done: true, value: undefined },
    ]);
  });

  test("happens once", async () => {
    const generation = context.generate("x");
    native.finish(1);
    await collect(generation);
    await expect(collect(generation)).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  });

  test("left early cancels, and the result keeps what was generated", async () => {
    const generation = context.generate("x");
    native.text(1, "kept", 1);
    for await (const { text } of generation) {
      expect(text).toBe("kept");
      break;
    }
    native.text(1, " and more", 2);
    expect(native.cancelled).toEqual([1]);
    const { text, tokens, stopReason, stopToken } = await generation.result();
    expect([text, tokens]).toEqual(["kept and more", Int32Array.of(1, 2)]);
    expect([stopReason, stopToken]).toEqual(["cancelled", null]);
  });

  test("left by a throw cancels, too", async () => {
    const generation = context.generate("x");
    native.text(1, "a", 1);
    const reading = (async () => {
      for await (const _ of generation) throw new Error("reader");
    })();
    await expect(reading).rejects.toThrow("reader");
    expect(native.cancelled).toEqual([1]);
  });

  test("left while a next() waits ends that one", async () => {
    const iterator = context.generate("x")[Symbol.asyncIterator]();
    const waiting = iterator.next();
    await iterator.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });
});

describe("result", () => {
  test("is idempotent and maps the engine's figures", async () => {
    const generation = context.generate("x");
    expect(generation.result()).toBe(generation.result());
    native.text(1, "done", 4);
    native.finish(1, { stopToken: -1, stopReason: "stop-string", stopString: "\n" });
    expect(await generation.result()).toEqual({
      text: "done",
      tokens: Int32Array.of(4),
      stopReason: "stop-string",
      stopToken: null,
      stopString: "\n",
      usage: { promptTokens: 3, cachedTokens: 0, completionTokens: 5 },
      timings: { queuedMs: 1, promptMs: 2, generationMs: 250, tokensPerSecond: 20 },
    });
  });

  test("has a finite speed where nothing took time", async () => {
    const generation = context.generate("x");
    native.finish(1, { completionTokens: 0, generationMs: 0 });
    expect((await generation.result()).timings.tokensPerSecond).toBe(0);
  });

  test("and iteration work in any order", async () => {
    const generation = context.generate("x");
    native.text(1, "a", 1);
    native.finish(1, {}, "b");
    expect((await generation.result()).text).toBe("ab");
    expect((await collect(generation)).map(({ text }) => text)).toEqual(["ab"]);
    expect((await generation.result()).text).toBe("ab");
  });
});

describe("errors", () => {
  const error = { code: "ERR_DECODE_FAILED", message: "llama_decode returned -3" } as const;
  const fail = (id = 1) => native.news({ id, text: "", tokens: new Int32Array(), error });

  test("reach both sides, after the text before them, with the caller's stack", async () => {
    const generation = context.generate("x");
    native.text(1, "before", 1);
    fail();
    const iterator = generation[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toEqual({ text: "before", tokens: Int32Array.of(1) });
    const seen = await iterator.next().catch((reason: unknown) => reason);
    expect(CriaError.is(seen)).toBe(true);
    expect(seen).toMatchObject(error);
    expect((seen as Error).stack).toMatch(
      /^CriaError: llama_decode returned -3\n.*generation\.test/,
    );
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    await expect(generation.result()).rejects.toBe(seen);
  });

  test("are never an unhandled rejection", async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", listener);
    try {
      context.generate("nobody looks");
      context.generate("result() is called, not awaited").result();
      const iterator = context.generate("next() is called, not awaited")[Symbol.asyncIterator]();
      iterator.next();
      const disposed = context.generate("disposed");
      for (const id of [1, 2, 3, 4]) fail(id);
      await disposed[Symbol.asyncDispose]();
      for (let i = 0; i < 5; i++) await settled();
    } finally {
      process.off("unhandledRejection", listener);
    }
    expect(unhandled).toEqual([]);
  });

  test("of submit are thrown where the arguments are to blame, and reject otherwise", async () => {
    native.submitError = Object.assign(new Error("no"), { code: "ERR_INVALID_ARGUMENT" });
    expect(() => context.generate("x")).toThrow(code("ERR_INVALID_ARGUMENT"));
    native.submitError = Object.assign(new Error("no"), { code: "ERR_OUT_OF_MEMORY" });
    await expect(context.generate("x").result()).rejects.toEqual(code("ERR_OUT_OF_MEMORY"));
  });
});

describe("cancel", () => {
  test("keeps what was generated, and does nothing to a finished one", async () => {
    const generation = context.generate("x");
    native.text(1, "a", 1);
    generation.cancel();
    expect((await generation.result()).stopReason).toBe("cancelled");
    generation.cancel();
    expect(native.cancelled).toEqual([1]);
    expect((await collect(generation)).map(({ text }) => text)).toEqual(["a"]);
  });

  test("comes with asyncDispose, which waits for the end and does not throw", async () => {
    const generation: Generation = context.generate("x");
    await generation[Symbol.asyncDispose]();
    expect(native.cancelled).toEqual([1]);
    expect((await generation.result()).stopReason).toBe("cancelled");
  });
});

describe("signal", () => {
  test("aborted before: rejects with its reason and submits nothing", async () => {
    const reason = new Error("before");
    const generation = context.generate("x", { signal: AbortSignal.abort(reason) });
    await expect(generation.result()).rejects.toBe(reason);
    await expect(collect(generation)).rejects.toBe(reason);
    expect(native.requests).toEqual([]);
  });

  test("aborted during: rejects both sides at once with its reason and cancels", async () => {
    const controller = new AbortController();
    const generation = context.generate("x", { signal: controller.signal });
    native.text(1, "unread", 1);
    controller.abort("any value");
    await expect(collect(generation)).rejects.toBe("any value");
    await expect(generation.result()).rejects.toBe("any value");
    expect(native.cancelled).toEqual([1]);
    native.text(1, "late", 2); // news that were on their way
  });

  test("aborted after the end changes nothing", async () => {
    const controller = new AbortController();
    const generation = context.generate("x", { signal: controller.signal });
    native.finish(1);
    controller.abort();
    expect((await generation.result()).stopReason).toBe("end-of-turn");
    expect(native.cancelled).toEqual([]);
  });

  test("shared by many has one listener, and none when all are over", () => {
    const { signal } = new AbortController();
    const add = jest.spyOn(signal, "addEventListener");
    const remove = jest.spyOn(signal, "removeEventListener");
    for (let i = 0; i < 50; i++) context.generate("x", { signal });
    expect(add).toHaveBeenCalledTimes(1);
    for (let id = 1; id <= 49; id++) native.finish(id);
    expect(remove).not.toHaveBeenCalled();
    native.finish(50);
    expect(remove).toHaveBeenCalledTimes(1);
    expect(remove.mock.calls[0]?.[1]).toBe(add.mock.calls[0]?.[1]);
  });
});

describe("onProgress", () => {
  const progress = (evaluated: number) =>
    native.news({ id: 1, text: "", tokens: new Int32Array(), evaluated, total: 10 });

  test("is told how far the prefill is", () => {
    const seen: number[][] = [];
    context.generate("x", { onProgress: (evaluated, total) => seen.push([evaluated, total]) });
    progress(4);
    progress(10);
    expect(seen).toEqual([
      [4, 10],
      [10, 10],
    ]);
  });

  test("that throws fails the generation with that error and cancels it", async () => {
    const thrown = new Error("callback");
    const generation = context.generate("x", {
      onProgress: () => {
        throw thrown;
      },
    });
    progress(4);
    progress(5);
    await expect(generation.result()).rejects.toBe(thrown);
    await expect(collect(generation)).rejects.toBe(thrown);
    expect(native.cancelled).toEqual([1]);
  });
});

describe("dispose of the context", () => {
  test("rejects what is pending, is idempotent, and refuses everything after it", async () => {
    const pending = [context.generate("x"), context.generate("y")];
    const reading = collect(pending[1] as Generation);
    const closing = context.dispose();
    expect(context.dispose()).toBe(closing);
    expect(context[Symbol.asyncDispose]()).toBe(closing);
    expect(context.disposed).toBe(true);
    for (const { result } of pending.map((g) => ({ result: g.result() }))) {
      await expect(result).rejects.toEqual(code("ERR_DISPOSED"));
    }
    await expect(reading).rejects.toEqual(code("ERR_DISPOSED"));
    await closing;
    expect(native.closed).toBe(1);
    expect(() => context.generate("z")).toThrow(code("ERR_DISPOSED"));
    expect(() => context.stats).toThrow(code("ERR_DISPOSED"));
  });
});
