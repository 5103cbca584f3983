import { type Context, CriaError } from "../../lib/index.js";
import { MAX_WAITING } from "../../lib/internal/errors.js";
import { FakeNativeContext, openFake, settled } from "../support/fake-context.js";
import { openSequence } from "../support/fake-sequences.js";

const FULL = { code: "ERR_QUEUE_FULL" };
const code = (error: unknown) => CriaError.is(error) && error.code;

describe("a context", () => {
  let native: FakeNativeContext;
  let context: Context;
  beforeEach(async () => {
    native = new FakeNativeContext();
    context = await openFake(native);
    for (let i = 0; i < MAX_WAITING; i++) context.generate("x");
  });

  test("takes so many requests that are not answered, and the next when one of them is", async () => {
    expect(native.requests).toHaveLength(MAX_WAITING);
    const refused = context.generate("x");
    await expect(refused.result()).rejects.toMatchObject(FULL);
    await expect(context.score("x", [1])).rejects.toMatchObject(FULL);
    await expect(context.createSequence()).rejects.toMatchObject(FULL);
    for await (const { error } of context.generateMany([{ prompt: "x" }])) {
      expect(error).toMatchObject(FULL);
    }
    native.finish(native.requests[0]?.id as number);
    await settled();
    expect(code(await Promise.race([context.generate("x").result(), settled()]))).toBe(false);
    await expect(context.generate("x").result()).rejects.toMatchObject(FULL);
  });

  test("is disposed of all the same", async () => {
    const last = context.generate("x").result();
    await context.dispose();
    await expect(last).rejects.toMatchObject(FULL);
  });
});

test("a sequence takes so many calls, and is disposed of all the same", async () => {
  const { native, sequence } = await openSequence();
  native.hold("trim");
  const calls = Promise.allSettled(Array.from({ length: MAX_WAITING }, () => sequence.trim(0)));
  await expect(sequence.trim(0)).rejects.toMatchObject(FULL);
  await sequence.dispose();
  const ends = await calls;
  expect(new Set(ends.map((end) => end.status === "rejected" && code(end.reason)))).toEqual(
    new Set(["ERR_DISPOSED"]),
  );
});
