import { getEventListeners } from "node:events";
import type { BatchRequest, Context } from "../../lib/index.js";
import { request, Source, wait } from "../support/batch-source.js";
import { FakeNativeContext, openFake } from "../support/fake-context.js";

let native: FakeNativeContext;
let context: Context;

beforeEach(async () => {
  native = new FakeNativeContext();
  context = await openFake(native, 4);
});

const code = (code: string) => expect.objectContaining({ code });

/** Ends everything that is submitted, in this order of the pending ones. */
function finishAll(order: (ids: number[]) => number[] = (ids) => ids): void {
  for (const id of order(native.requests.map(({ id }) => id))) native.finish(id);
}

describe("the end of the source", () => {
  test("by an error comes after the results of what ran", async () => {
    const thrown = new Error("source");
    async function* source() {
      yield request(0);
      yield request(1);
      throw thrown;
    }
    const batch = context.generateMany(source());
    const first = batch.next();
    await wait();
    finishAll();
    expect((await first).value?.index).toBe(0);
    expect((await batch.next()).value?.index).toBe(1);
    await expect(batch.next()).rejects.toBe(thrown);
    expect(await batch.next()).toEqual({ done: true, value: undefined });
    expect(native.cancelled).toEqual([]);
  });

  test("by an iterator that cannot be had, or is none, is thrown", async () => {
    const thrown = new Error("open");
    const closed = {
      [Symbol.iterator](): Iterator<BatchRequest> {
        throw thrown;
      },
    };
    await expect(context.generateMany(closed).next()).rejects.toBe(thrown);
    const wrong = { [Symbol.iterator]: () => ({ next: () => 3 }) } as never;
    await expect(context.generateMany(wrong).next()).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
    const none = { [Symbol.iterator]: () => 3 } as never;
    await expect(context.generateMany(none).next()).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  });
});

describe("leaving", () => {
  test("cancels what runs and closes the source", async () => {
    const source = new Source();
    const leaving = (async () => {
      for await (const { index } of context.generateMany(source)) {
        expect(index).toBe(2);
        break;
      }
    })();
    await wait();
    native.finish(3);
    await leaving;
    // What is read in the place of the one that was taken is not started any more.
    expect(native.cancelled).toEqual([1, 2, 4, 5, 6]);
    expect(source.closed).toBe(1);
  });

  test("ends the next() that wait, and all later ones", async () => {
    const batch = context.generateMany(new Source());
    const waiting = [batch.next(), batch.next()];
    await wait();
    expect(await batch.return?.()).toEqual({ done: true, value: undefined });
    const done = { done: true, value: undefined };
    expect(await Promise.all([...waiting, batch.next()])).toEqual([done, done, done]);
  });

  test("before the first next() starts nothing", async () => {
    const source = new Source();
    const batch = context.generateMany(source);
    await batch.return?.();
    expect(await batch.next()).toEqual({ done: true, value: undefined });
    expect([source.read, source.closed]).toEqual([0, 0]);
  });

  test("does not wait for a source that is stuck", async () => {
    const source = new Source();
    source.gate = new Promise(() => {});
    source.return = () => new Promise(() => {});
    const batch = context.generateMany(source);
    batch.next();
    await wait();
    await batch.return?.();
  });

  test("passes on what closing the source throws, but not over an error of its own", async () => {
    const closing = new Error("closing");
    const make = () => {
      const source = new Source();
      source.return = async () => {
        throw closing;
      };
      return context.generateMany(source);
    };
    const [left, thrown] = [make(), make()];
    for (const batch of [left, thrown]) batch.next();
    await wait();
    await expect(left.return?.()).rejects.toBe(closing);
    await expect(thrown.throw?.("mine")).rejects.toBe("mine");
  });
});

describe("signal", () => {
  test("of the batch ends all at once with its reason", async () => {
    const source = new Source();
    const controller = new AbortController();
    const batch = context.generateMany(source, { signal: controller.signal });
    const waiting = batch.next();
    await wait();
    native.finish(1);
    native.finish(2); // finished and never taken
    await waiting;
    const next = batch.next();
    await next;
    const pending = [batch.next(), batch.next()];
    controller.abort("stop");
    await expect(pending[0]).rejects.toBe("stop");
    expect(await pending[1]).toEqual({ done: true, value: undefined });
    expect(native.cancelled.length).toBeGreaterThanOrEqual(4);
    expect(source.closed).toBe(1);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("aborted before reads nothing", async () => {
    const source = new Source();
    const batch = context.generateMany(source, { signal: AbortSignal.abort("early") });
    await expect(batch.next()).rejects.toBe("early");
    expect(source.read).toBe(0);
  });

  test("is not listened to any more when all is taken", async () => {
    const { signal } = new AbortController();
    const batch = context.generateMany([request(0)], { signal });
    const first = batch.next();
    await wait();
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    finishAll();
    await first;
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("of a request ends that one only", async () => {
    const controller = new AbortController();
    const requests = [{ ...request(0), signal: controller.signal }, request(1)];
    const batch = context.generateMany(requests);
    const first = batch.next();
    await wait();
    controller.abort("mine");
    expect((await first).value).toMatchObject({ index: 0, error: "mine" });
    const second = batch.next();
    finishAll();
    expect((await second).value).toMatchObject({ index: 1, result: {} });
  });
});

test("disposing the context ends the iterator with ERR_DISPOSED, whatever is still to come", async () => {
  const source = new Source();
  const batch = context.generateMany(source);
  const waiting = batch.next();
  await wait();
  await context.dispose();
  await expect(waiting).rejects.toEqual(code("ERR_DISPOSED"));
  expect(await batch.next()).toEqual({ done: true, value: undefined });
  expect(source.closed).toBe(1);
});

test("nothing is ever an unhandled rejection", async () => {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", listener);
  try {
    const failing = () => {
      const source = new Source();
      source.return = async () => {
        throw new Error("closing");
      };
      return source;
    };
    const controller = new AbortController();
    context.generateMany(failing(), { signal: controller.signal }).next();
    context.generateMany([{ prompt: 3 }] as never).next();
    const thrown = (async function* (): AsyncGenerator<BatchRequest> {
      yield request(0);
      throw new Error("source");
    })();
    context.generateMany(thrown).next();
    await wait();
    controller.abort();
    await wait();
    context.generateMany(failing()).next();
    await wait();
    await context.dispose();
    await wait();
  } finally {
    process.off("unhandledRejection", listener);
  }
  expect(unhandled).toEqual([]);
});
