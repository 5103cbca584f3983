import { type Context, Sampler, type Sequence } from "../../lib/index.js";
import { FakeNativeContext, openFake, settled } from "../support/fake-context.js";
import { type FakeSequences, openSequence, until } from "../support/fake-sequences.js";
import { exposeGc } from "../support/gc.js";

let native: FakeSequences;
let context: Context;
let sequence: Sequence;

beforeEach(async () => {
  ({ native, context, sequence } = await openSequence());
});

const code = (code: string) => expect.objectContaining({ code });

describe("no free sequence", () => {
  test("rejects createSequence and fork with what the engine says", async () => {
    native.answers = () => undefined;
    for (const call of [() => context.createSequence(), () => sequence.fork()]) {
      const pending = call();
      await settled();
      const { id } = native.commands.at(-1) as { id: number };
      native.refuse(id, { code: "ERR_CONTEXT_FULL", message: "Raise `sequences`" });
      await expect(pending).rejects.toMatchObject({
        code: "ERR_CONTEXT_FULL",
        stack: expect.stringMatching(/sequence-dispose\.test/),
      });
    }
  });
});

describe("dispose", () => {
  test("is one command, idempotent, and refuses what comes later", async () => {
    const closing = sequence.dispose();
    expect(sequence.dispose()).toBe(closing);
    expect(sequence[Symbol.asyncDispose]()).toBe(closing);
    expect(sequence.disposed).toBe(true);
    await closing;
    expect(native.types()).toEqual(["dispose"]);
    for (const call of [
      () => sequence.evaluate("x"),
      () => sequence.logits(),
      () => sequence.sample(Sampler.greedy()),
      () => sequence.fork(),
      () => sequence.trim(0),
      () => sequence.save("x"),
      () => sequence.restore("x"),
    ]) {
      await expect(call()).rejects.toEqual(code("ERR_DISPOSED"));
    }
    expect(sequence.tokens).toHaveLength(0);
  });

  test("does not wait for what is pending, which rejects", async () => {
    native.hold("evaluate");
    const pending = [sequence.evaluate("a"), sequence.logits(), sequence.fork()];
    const ends = Promise.allSettled(pending);
    await settled();
    await sequence.dispose();
    const rejected = { status: "rejected", reason: code("ERR_DISPOSED") };
    expect(await ends).toEqual([rejected, rejected, rejected]);
    expect(native.types()).toEqual(["evaluate", "dispose"]);
    native.answer(native.last("evaluate").id, { cancelled: true });
  });

  test("gives back a fork that comes after it", async () => {
    native.hold("fork");
    const forking = sequence.fork();
    const { id } = await until(() => native.last("fork"));
    const closing = sequence.dispose();
    await expect(forking).rejects.toEqual(code("ERR_DISPOSED"));
    await closing;
    native.answer(id, { sequence: 3 });
    expect(native.last("dispose").command.sequence).toBe(3);
  });

  test("of the context disposes its sequences, whatever they are at", async () => {
    native.hold("evaluate");
    const pending = sequence.evaluate("a");
    const queued = sequence.logits();
    await settled();
    const ends = Promise.allSettled([pending, queued]);
    const closing = context.dispose();
    expect(sequence.disposed).toBe(true);
    const rejected = { status: "rejected", reason: code("ERR_DISPOSED") };
    expect(await ends).toEqual([rejected, rejected]);
    await closing;
    await expect(context.createSequence()).rejects.toEqual(code("ERR_DISPOSED"));
    await sequence.dispose();
    expect(native.types()).toEqual(["evaluate"]);
  });

  test("of the context while one is being disposed is no error", async () => {
    native.answers = () => undefined;
    const creating = context.createSequence();
    const closing = sequence.dispose();
    const all = context.dispose();
    await closing;
    await expect(creating).rejects.toEqual(code("ERR_DISPOSED"));
    await all;
  });
});

test("one that is dropped is given back, and an idle context with sequences is collected", async () => {
  const gc = exposeGc();
  const collect = async (done: () => boolean) => {
    while (!done()) {
      await new Promise((resolve) => setTimeout(resolve, 5)); // a look keeps it for that turn
      gc();
    }
  };
  await (async () => {
    const other = await context.createSequence();
    await other.evaluate([1]);
  })();
  await collect(() => native.commands.some(({ command }) => command.type === "dispose"));
  expect(native.last("dispose").command.sequence).toBe(1);

  const fake = new FakeNativeContext();
  fake.answers = () => ({ sequence: 0, tokens: new Int32Array() });
  const dropped = await (async () => {
    const own = await openFake(fake);
    await (await own.createSequence()).evaluate([1]);
    return new WeakRef(own);
  })();
  await collect(() => dropped.deref() === undefined);
});
