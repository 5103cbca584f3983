import { readAhead } from "../../lib/generation/generate-many.js";
import type { BatchRequest, BatchResult, Context } from "../../lib/index.js";
import { request, Source, wait } from "../support/batch-source.js";
import { FakeNativeContext, openFake, settled } from "../support/fake-context.js";
import { exposeGc } from "../support/gc.js";

let native: FakeNativeContext;
let context: Context;

beforeEach(async () => {
  native = new FakeNativeContext();
  context = await openFake(native, 4);
});

const code = (code: string) => expect.objectContaining({ code });

async function indexes(results: AsyncIterable<BatchResult<unknown>>): Promise<number[]> {
  const seen: number[] = [];
  for await (const { index } of results) seen.push(index);
  return seen;
}

/** Ends everything that is submitted, in this order of the pending ones. */
function finishAll(order: (ids: number[]) => number[] = (ids) => ids): void {
  for (const id of order(native.requests.map(({ id }) => id))) native.finish(id);
}

test("the batch's options are those of the call, whatever becomes of them", async () => {
  const stop = ["a"];
  const results = context.generateMany([{ prompt: "x" }, { prompt: "y" }], { stop });
  stop.push("b");
  const seen = indexes(results);
  await settled();
  expect(native.requests.map((one) => one.stop)).toEqual([["a"], ["a"]]);
  finishAll();
  expect(await seen).toEqual([0, 1]);
});

describe("arguments", () => {
  const noLists = [Object("abc"), Buffer.from("abc"), new Uint16Array(2)];
  test.each([undefined, null, 3, "abc", {}, { [Symbol.iterator]: 1 }, ...noLists])(
    "%p is no iterable of requests",
    (requests) => {
      expect(() => context.generateMany(requests as never)).toThrow(code("ERR_INVALID_ARGUMENT"));
    },
  );

  test.each([{ ordered: 1 }, { maxTokens: -1 }, { maxTokns: 1 }, { prompt: "x" }, { signal: {} }])(
    "%p are no options",
    (options) => {
      expect(() => context.generateMany([], options as never)).toThrow(
        code("ERR_INVALID_ARGUMENT"),
      );
    },
  );

  test("a disposed context refuses", async () => {
    const before = context.generateMany([request(1)]);
    await context.dispose();
    expect(() => context.generateMany([])).toThrow(code("ERR_DISPOSED"));
    await expect(before.next()).rejects.toEqual(code("ERR_DISPOSED"));
    expect(await before.next()).toEqual({ done: true, value: undefined });
  });

  test("nothing is read before the first next()", async () => {
    const source = new Source();
    context.generateMany(source);
    await wait();
    expect([source.read, native.requests.length]).toEqual([0, 0]);
  });
});

describe("results", () => {
  test("come as they finish, with index and the request itself", async () => {
    const requests = [request(0), request(1), { ...request(2), mine: "data" }];
    const batch = context.generateMany(requests);
    const all = (async () => {
      const seen: BatchResult<object>[] = [];
      for await (const result of batch) seen.push(result);
      return seen;
    })();
    await wait();
    native.text(3, "third", 5);
    finishAll((ids) => ids.reverse());
    const results = await all;
    expect(results.map(({ index }) => index)).toEqual([2, 1, 0]);
    expect(results[0]?.request).toBe(requests[2]);
    expect(results[0]).toMatchObject({ result: { text: "third" } });
    expect(results.some((result) => "error" in result)).toBe(false);
  });

  test("come in order where asked", async () => {
    const all = indexes(
      context.generateMany([request(0), request(1), request(2)], { ordered: true }),
    );
    await wait();
    finishAll((ids) => ids.reverse());
    expect(await all).toEqual([0, 1, 2]);
  });

  test("of nothing are none", async () => {
    expect(await indexes(context.generateMany([]))).toEqual([]);
  });

  test("serve several outstanding next(), the last ones with the end", async () => {
    const batch = context.generateMany([request(0), request(1)]);
    const steps = Promise.all([batch.next(), batch.next(), batch.next(), batch.next()]);
    await wait();
    finishAll();
    expect((await steps).map(({ done, value }) => (done ? "done" : value.index))).toEqual([
      0,
      1,
      "done",
      "done",
    ]);
  });
});

describe("options", () => {
  test("are defaults that a request's own win over", async () => {
    const requests: BatchRequest[] = [{ prompt: "x" }, { prompt: "x", maxTokens: 7, stop: ["b"] }];
    context.generateMany(requests, { maxTokens: 3, stop: ["a"], logprobs: 2 }).next();
    await wait();
    expect(
      native.requests.map(({ maxTokens, stop, logprobs }) => [maxTokens, stop, logprobs]),
    ).toEqual([
      [3, ["a"], 2],
      [7, ["b"], 2],
    ]);
  });

  test("that a request has as undefined count as not given", async () => {
    const requests = [{ prompt: "x", maxTokens: undefined }] as unknown as BatchRequest[];
    context.generateMany(requests, { maxTokens: 3 }).next();
    await wait();
    expect(native.requests[0]?.maxTokens).toBe(3);
  });

  test("an invalid request is that result's error", async () => {
    const hostile = Object.defineProperty({ prompt: "x" }, "stop", {
      enumerable: true,
      get() {
        throw new Error("getter");
      },
    });
    const bad = [
      { prompt: 3 },
      {},
      null,
      "text",
      { prompt: "x", maxTokens: -1 },
      { prompt: "x", maxTokns: 1 },
      { prompt: [99] },
      hostile,
    ];
    const requests = [...bad, { prompt: "x", id: 1, data: { any: "thing" } }] as BatchRequest[];
    const batch = context.generateMany(requests);
    for (const index of bad.keys()) {
      const { value } = await batch.next();
      expect(value).toMatchObject({ index, error: code("ERR_INVALID_ARGUMENT") });
      expect(value?.request).toBe(bad[index]);
    }
    await wait();
    finishAll();
    expect(await batch.next()).toMatchObject({ value: { index: bad.length, result: {} } });
    expect(await batch.next()).toEqual({ done: true, value: undefined });
  });

  test("an engine's failure is that result's error, too", async () => {
    const batch = context.generateMany([request(0), request(1)]);
    const steps = Promise.all([batch.next(), batch.next()]);
    await wait();
    native.refuse(1, { code: "ERR_CONTEXT_FULL", message: "too long" });
    native.finish(2);
    expect((await steps).map(({ value }) => value?.error)).toEqual([
      code("ERR_CONTEXT_FULL"),
      undefined,
    ]);
  });
});

describe("back-pressure", () => {
  test.each([
    [1, 3],
    [4, 6],
    [16, 20],
    [64, 80],
  ])("with %d sequences at most %d requests are read ahead", async (sequences, ahead) => {
    native = new FakeNativeContext();
    context = await openFake(native, sequences);
    const source = new Source();
    const batch = context.generateMany(source);
    const first = batch.next();
    await wait();
    expect([readAhead(sequences, false), source.read]).toEqual([ahead, ahead]);
    expect(native.requests).toHaveLength(ahead);
    finishAll();
    await first;
    await wait();
    expect(source.read).toBe(ahead + 1); // one was taken, the others wait, finished
    for (let i = 0; i < ahead - 1; i++) await batch.next();
    await wait();
    expect(source.read).toBe(2 * ahead);
    await batch.return?.();
  });

  test("with `ordered`, four times as many while the first one takes long", async () => {
    const source = new Source();
    const batch = context.generateMany(source, { ordered: true });
    const first = batch.next();
    const running = () => native.stats().activeGenerations;
    for (let round = 0; round < 40; round++) {
      await wait();
      expect(running()).toBeLessThanOrEqual(6);
      for (const { id } of native.requests) if (id !== 1) native.finish(id);
    }
    expect([readAhead(4, true), source.read, running()]).toEqual([24, 24, 1]);
    native.finish(1);
    expect((await first).value?.index).toBe(0);
    for (let index = 1; index < 24; index++) expect((await batch.next()).value?.index).toBe(index);
    await batch.return?.();
  });

  test("a sync iterable without end is read no further", async () => {
    let read = 0;
    let closed = false;
    function* source() {
      try {
        for (;;) yield request(read++);
      } finally {
        closed = true;
      }
    }
    const first = wait().then(() => native.finish(1));
    for await (const { index } of context.generateMany(source())) {
      expect(index).toBe(0);
      break;
    }
    await first;
    expect([read, closed]).toEqual([readAhead(4, false) + 1, true]);
  });

  test("what was taken is not held", async () => {
    let made = 0;
    let collected = 0;
    const registry = new FinalizationRegistry(() => collected++);
    function* source() {
      for (; made < 3000; made++) {
        const one = request(made);
        registry.register(one, undefined);
        yield one;
      }
    }
    const pump = setInterval(() => {
      for (const { id } of native.requests.splice(0)) native.finish(id);
    }, 0);
    try {
      for await (const _ of context.generateMany(source()));
    } finally {
      clearInterval(pump);
    }
    const gc = exposeGc();
    for (let i = 0; i < 1000 && collected < 2900; i++) {
      gc();
      await settled();
    }
    expect(collected).toBeGreaterThanOrEqual(2900);
  });
});
