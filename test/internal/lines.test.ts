import { type Line, linesOf } from "../../lib/internal/lines.js";
import { Random } from "../support/random.js";

async function read(chunks: Iterable<Uint8Array>): Promise<Line[]> {
  const lines: Line[] = [];
  const stream = (async function* () {
    yield* chunks;
  })();
  for await (const line of linesOf(stream)) lines.push(line);
  return lines;
}

test("lines are the same however the bytes are cut", async () => {
  const text = "one\n\nzwei ä 山羊 🦙\r\n\n\nlast";
  const bytes = Buffer.from(text);
  const expected = text
    .split("\n")
    .map((line, i) => ({ number: i + 1, text: line.replace("\r", "") }))
    .filter((line) => line.text !== "");
  for (let seed = 1; seed <= 100; seed++) {
    const random = new Random(seed);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + random.below(9);
      chunks.push(bytes.subarray(at, end));
      at = end;
    }
    expect(await read(chunks)).toEqual(expected);
  }
});

test("other work gets its turn between the lines of a chunk", async () => {
  const turnsOf = async (chunk: Buffer) => {
    let over = false;
    const reading = read([chunk]).finally(() => {
      over = true;
    });
    let turns = 0;
    for (; !over; turns++) await new Promise(setImmediate);
    await reading;
    return turns;
  };
  expect(await turnsOf(Buffer.from("{}\n".repeat(6400)))).toBeGreaterThan(90);
  expect(await turnsOf(Buffer.from(`${"x".repeat(100_000)}\n`.repeat(50)))).toBeGreaterThan(45);
});

test("a line break at the end begins no other line", async () => {
  expect(await read([Buffer.from("a\n")])).toEqual([{ number: 1, text: "a" }]);
  expect(await read([])).toEqual([]);
});

test("a line that is too long takes no memory, and the next one is read", async () => {
  const chunk = Buffer.alloc(1 << 20, 97);
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  function* chunks() {
    for (let i = 0; i < 64; i++) {
      yield Buffer.from(chunk);
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    yield Buffer.from("\nnext\n");
  }
  const [long, next] = await read(chunks());
  expect(long).toEqual({
    number: 1,
    text: "67108864 bytes",
    problem: "it has 67108864 bytes, and 8388608 are the most",
  });
  expect(next).toEqual({ number: 2, text: "next" });
  expect(most - before).toBeLessThan(60 << 20);
});

test("a byte order mark is one at the beginning only", async () => {
  expect(await read([Buffer.from("\uFEFFa\n\uFEFFb")])).toEqual([
    { number: 1, text: "a" },
    { number: 2, text: "\uFEFFb" },
  ]);
});

test("what is no UTF-8 is one line's trouble", async () => {
  const bytes = Buffer.concat([Buffer.from("a\n"), Buffer.from([0xc3]), Buffer.from("\nb")]);
  expect(await read([bytes])).toEqual([
    { number: 1, text: "a" },
    { number: 2, text: "\xc3", problem: "it is no UTF-8" },
    { number: 3, text: "b" },
  ]);
});
