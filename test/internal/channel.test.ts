import { Channel } from "../../lib/internal/channel.js";

const join = (a: string, b: string) => (a === "|" || b === "|" ? undefined : a + b);
const never = () => {
  throw new Error("left");
};

async function all<T>(channel: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of channel) values.push(value);
  return values;
}

test("what is written comes in order, to a reader who waits one by one", async () => {
  const channel = new Channel<string>(join, never);
  const read = all(channel);
  for (const value of ["a", "b", "|", "c"]) {
    channel.write(value);
    await new Promise(setImmediate);
  }
  channel.close();
  expect(await read).toEqual(["a", "b", "|", "c"]);
});

test("what nobody has read yet is joined, and never across what does not join", async () => {
  const channel = new Channel<string>(join, never);
  for (const value of ["a", "b", "|", "|", "c", "d"]) channel.write(value);
  channel.close();
  expect(await all(channel)).toEqual(["ab", "|", "|", "cd"]);
});

test("readers that ask ahead are served in order", async () => {
  const channel = new Channel<string>(join, never);
  const iterator = channel[Symbol.asyncIterator]();
  const steps = [iterator.next(), iterator.next(), iterator.next()];
  channel.write("a");
  channel.write("b");
  channel.close();
  expect(await Promise.all(steps)).toEqual([
    { done: false, value: "a" },
    { done: false, value: "b" },
    { done: true, value: undefined },
  ]);
});

test("an error comes behind what was written, once", async () => {
  const channel = new Channel<string>(join, never);
  channel.write("a");
  channel.fail(new Error("broken"));
  channel.write("late");
  channel.close();
  const iterator = channel[Symbol.asyncIterator]();
  expect(await iterator.next()).toEqual({ done: false, value: "a" });
  await expect(iterator.next()).rejects.toThrow("broken");
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

test("an error reaches the first of the readers that wait", async () => {
  const channel = new Channel<string>(join, never);
  const iterator = channel[Symbol.asyncIterator]();
  const steps = [iterator.next(), iterator.next()];
  channel.fail(undefined);
  expect(await Promise.allSettled(steps)).toEqual([
    { status: "rejected", reason: undefined },
    { status: "fulfilled", value: { done: true, value: undefined } },
  ]);
});

test("leaving is told once, and ends the iteration for all who wait", async () => {
  let left = 0;
  const channel = new Channel<string>(join, () => left++);
  const iterator = channel[Symbol.asyncIterator]();
  const step = iterator.next();
  expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
  await iterator.return?.();
  expect(await step).toEqual({ done: true, value: undefined });
  channel.write("late");
  channel.fail(new Error("late"));
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
  expect(left).toBe(1);
});

test("leaving behind the end is nobody's business", async () => {
  const channel = new Channel<string>(join, never);
  channel.write("a");
  channel.close();
  for await (const value of channel) {
    expect(value).toBe("a");
    break;
  }
});

test("it is iterated once", () => {
  const channel = new Channel<string>(join, never);
  channel[Symbol.asyncIterator]();
  expect(() => channel[Symbol.asyncIterator]()).toThrow(
    expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
  );
});
