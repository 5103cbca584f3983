import { getEventListeners } from "node:events";
import type { Context } from "../../lib/index.js";
import { wait } from "../support/batch-source.js";
import { FakeNativeContext, openFake } from "../support/fake-context.js";

let native: FakeNativeContext;
let context: Context;

beforeEach(async () => {
  native = new FakeNativeContext();
  context = await openFake(native, 2, { embeddings: true });
});

const code = (code: string) => expect.objectContaining({ code });
const vector = (n: number) => ({ values: Float32Array.of(n), count: n });

/** An endless source of texts that tells how far it was read and whether it was closed. */
class Texts implements AsyncIterableIterator<string> {
  read = 0;
  closed = 0;
  async next(): Promise<IteratorResult<string>> {
    return { done: false, value: `text ${this.read++}` };
  }
  async return(): Promise<IteratorResult<string>> {
    this.closed++;
    return { done: true, value: undefined };
  }
  [Symbol.asyncIterator](): this {
    return this;
  }
}

describe("embed", () => {
  test("is one command for each text, and resolves in their order", async () => {
    const vectors = context.embed(["a", "b"]);
    expect(native.commands.map(({ command }) => command)).toEqual([
      { type: "embed", text: "a", normalize: true },
      { type: "embed", text: "b", normalize: true },
    ]);
    native.answer(2, vector(2));
    native.answer(1, vector(1));
    expect(await vectors).toEqual([Float32Array.of(1), Float32Array.of(2)]);
  });

  test("submits a bounded number of texts at a time", async () => {
    const vectors = context.embed(Array.from({ length: 100 }, String), { normalize: false });
    await wait();
    expect(native.commands).toHaveLength(6);
    for (let id = 1; id <= 100; id++) {
      native.answer(id, vector(id));
      await wait();
    }
    expect((await vectors).map(([first]) => first)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    expect(native.last("embed").command.normalize).toBe(false);
  });

  test("fails with the first text that does, and cancels the others", async () => {
    const vectors = context.embed(["a", "b", "c"]);
    native.refuse(2, { code: "ERR_CONTEXT_FULL", message: "too long" });
    await expect(vectors).rejects.toMatchObject({
      code: "ERR_CONTEXT_FULL",
      message: "input[1]: too long",
      details: { index: 1 },
    });
    expect(native.cancelled).toEqual([1, 3]);
    const alone = context.embed("a");
    native.refuse(4, { code: "ERR_CONTEXT_FULL", message: "too long" });
    await expect(alone).rejects.toMatchObject({ message: "too long" });
  });

  test("an abort rejects at once, cancels, and submits nothing more", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const vectors = context.embed(Array(20).fill("a"), { signal });
    controller.abort("stop");
    await expect(vectors).rejects.toBe("stop");
    await wait();
    expect(native.cancelled).toEqual([1, 2, 3, 4, 5, 6]);
    expect(native.commands).toHaveLength(6);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await expect(context.embed("a", { signal })).rejects.toBe("stop");
    expect(native.commands).toHaveLength(6);
  });

  test.each([
    [undefined, undefined],
    [3, undefined],
    [["a", 3], undefined],
    [new Set(["a"]), undefined],
    [["a", undefined], undefined],
    ["a", null],
    ["a", { normalize: 1 }],
    ["a", { normalise: true }],
    ["a", { signal: {} }],
  ])("embed(%p, %p) rejects", async (input, options) => {
    const vectors = context.embed(input as never, options as never);
    await expect(vectors).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
    expect(native.commands).toEqual([]);
  });

  test("after dispose, and during it, is ERR_DISPOSED", async () => {
    const vectors = context.embed(["a", "b"]);
    await context.dispose();
    await expect(vectors).rejects.toEqual(code("ERR_DISPOSED"));
    await expect(context.embed("a")).rejects.toEqual(code("ERR_DISPOSED"));
    expect(() => context.embedMany([])).toThrow(code("ERR_DISPOSED"));
    await expect(context.rank("a", [])).rejects.toEqual(code("ERR_DISPOSED"));
  });
});

describe("rank", () => {
  beforeEach(async () => {
    native = new FakeNativeContext();
    context = await openFake(native, 2, { embeddings: true, pooling: "rank" });
  });

  test("is one command for each document, and one array of scores", async () => {
    const scores = context.rank("q", ["a", "b"]);
    expect(native.last("rank").command).toEqual({ type: "rank", query: "q", document: "b" });
    native.answer(2, { values: Float32Array.of(0.5), count: 3 });
    native.answer(1, { values: Float32Array.of(-1), count: 3 });
    expect(await scores).toEqual(Float32Array.of(-1, 0.5));
  });

  test.each([
    [3, [], undefined],
    ["q", "a", undefined],
    ["q", [1], undefined],
    ["q", [], { normalize: true }],
    ["q", [], { signal: 1 }],
  ])("rank(%p, %p, %p) rejects", async (query, documents, options) => {
    const scores = context.rank(query as never, documents as never, options as never);
    await expect(scores).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  });
});

describe("embedMany", () => {
  test("reads as many as are under way or not taken, and yields in order of completion", async () => {
    const texts = new Texts();
    const many = context.embedMany(texts);
    await wait();
    expect(texts.read).toBe(0);
    const first = many.next();
    await wait();
    expect([texts.read, native.commands.length]).toEqual([6, 6]);
    native.answer(3, vector(7));
    native.refuse(1, { code: "ERR_CONTEXT_FULL", message: "too long" });
    expect((await first).value).toEqual({ index: 2, embedding: Float32Array.of(7), tokens: 7 });
    expect((await many.next()).value).toEqual({ index: 0, error: code("ERR_CONTEXT_FULL") });
    await wait();
    expect(texts.read).toBe(8);
    await many.return?.();
    expect(texts.closed).toBe(1);
    expect(native.cancelled).toEqual([2, 4, 5, 6, 7, 8]);
  });

  test("a value that is no text is its own error", async () => {
    const many = context.embedMany(["a", 3, "b"] as never);
    const results = [many.next(), many.next(), many.next()];
    await wait();
    native.answer(1, vector(1));
    native.answer(2, vector(2));
    const values = (await Promise.all(results)).map(({ value }) => value);
    expect(values.map((value) => value?.index)).toEqual([1, 0, 2]);
    expect(values[0]?.error).toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining("inputs[1]"),
    });
    expect(await many.next()).toEqual({ done: true, value: undefined });
  });

  test("an abort ends all of it with its reason", async () => {
    const controller = new AbortController();
    const many = context.embedMany(new Texts(), { signal: controller.signal });
    const waiting = many.next();
    await wait();
    controller.abort("stop");
    await expect(waiting).rejects.toBe("stop");
    expect(native.cancelled).toHaveLength(6);
  });

  test.each([["abc"], [3], [null], [{}]])("embedMany(%p) throws", (inputs) => {
    expect(() => context.embedMany(inputs as never)).toThrow(code("ERR_INVALID_ARGUMENT"));
  });
});
