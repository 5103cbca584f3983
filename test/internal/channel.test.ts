import { Channel } from "../../lib/internal/channel.js";

/** A channel of texts, of which those that nobody has taken are joined, but for "|". */
class Texts extends Channel<string> {
  readonly #unread: string[];
  #over = false;

  constructor(onLeave: () => void) {
    const unread: string[] = [];
    super({ take: () => unread.shift(), over: () => this.#over, leave: onLeave });
    this.#unread = unread;
  }

  write(text: string): void {
    if (this.#over) return;
    const last = this.#unread.at(-1);
    if (last === undefined || last === "|" || text === "|") this.#unread.push(text);
    else this.#unread[this.#unread.length - 1] = last + text;
    this.serve();
  }

  close(): void {
    this.#over = true;
    this.serve();
  }

  override fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    super.fail(error);
  }
}

const never = () => {
  throw new Error("left");
};

async function all<T>(channel: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of channel) values.push(value);
  return values;
}

test("what is written comes in order, to a reader who waits one by one", async () => {
  const channel = new Texts(never);
  const read = all(channel);
  for (const value of ["a", "b", "|", "c"]) {
    channel.write(value);
    await new Promise(setImmediate);
  }
  channel.close();
  expect(await read).toEqual(["a", "b", "|", "c"]);
});

test("what nobody has read yet is joined, and never across what does not join", async () => {
  const channel = new Texts(never);
  for (const value of ["a", "b", "|", "|", "c", "d"]) channel.write(value);
  channel.close();
  expect(await all(channel)).toEqual(["ab", "|", "|", "cd"]);
});

test("readers that ask ahead are served in order", async () => {
  const channel = new Texts(never);
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
  const channel = new Texts(never);
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
  const channel = new Texts(never);
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
  const channel = new Texts(() => left++);
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

test("leaving behind the end is told, too, and so is leaving before anything was asked for", async () => {
  let left = 0;
  const ended = new Texts(() => left++);
  ended.write("a");
  ended.close();
  for await (const value of ended) {
    expect(value).toBe("a");
    break;
  }
  expect(left).toBe(1);
  const unasked = new Texts(() => left++);
  await unasked[Symbol.asyncIterator]().return?.();
  expect(left).toBe(2);
});

test("what a reader throws in comes back to it, and the supply may still fail", async () => {
  const channel = new Texts(never);
  const iterator = channel[Symbol.asyncIterator]();
  await expect(iterator.throw?.(new Error("mine"))).rejects.toThrow("mine");
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

test("it is iterated once", () => {
  const channel = new Texts(never);
  channel[Symbol.asyncIterator]();
  expect(() => channel[Symbol.asyncIterator]()).toThrow(
    expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
  );
});
