import { existsSync } from "node:fs";
import { Readable } from "node:stream";
import type { RunBatchOptions } from "../../../lib/index.js";
import { linesOf, stubRunner, temporaryFolder } from "../../support/batch.js";

const folder = temporaryFolder();
const run = stubRunner(folder);
type Input = RunBatchOptions["input"];

const TEXT = '{"id": "a", "prompt": "eins"}\n{"id": "b", "prompt": "zwei"}\n{"prompt": "drei 🦙"}';
const ANSWERS = ["eins", "zwei", "drei 🦙"];

async function answers(input: Input): Promise<string[]> {
  const { output, summary } = run(input, { ordered: true });
  await summary;
  return linesOf(output).map((line) => (line.response?.body as { text?: string })?.text ?? "error");
}

const bytes = Buffer.from(TEXT);
const part = () => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);

test.each<[string, Input]>([
  ["a Buffer", bytes],
  ["a Uint8Array", new Uint8Array(bytes)],
  ["an ArrayBuffer", part()],
  ["a DataView", new DataView(part())],
  ["a Blob", new Blob([TEXT])],
  ["bytes in a list", [bytes.subarray(0, 40), bytes.subarray(40)]],
  ["a stream", Readable.from([bytes.subarray(0, 7), bytes.subarray(7)])],
  ["a web stream", new Blob([TEXT]).stream() as never],
])("%s is one source of bytes", async (_, input) => {
  expect(await answers(input)).toEqual(ANSWERS);
});

test("what the caller does to the bytes afterwards does not matter", async () => {
  const own = Buffer.from(TEXT);
  const { output, summary } = run(own, { ordered: true });
  own.fill(0);
  await summary;
  expect(linesOf(output).map(({ error }) => error)).toEqual([null, null, null]);
});

test.each([1, 2, 3, 7, 29, 64])(
  "a source may read into one buffer, %i bytes at a time",
  async (size) => {
    async function* reusing() {
      const buffer = Buffer.alloc(size);
      for (let at = 0; at < bytes.length; at += size) {
        const length = bytes.copy(buffer, 0, at, at + size);
        yield buffer.subarray(0, length);
        buffer.fill("#");
      }
    }
    expect(await answers(reusing())).toEqual(ANSWERS);
  },
);

test.each<[string, unknown]>([
  ["a text in an object", Object(TEXT)],
  ["numbers", new Uint16Array([1, 2])],
  ["a number", 5],
  ["nothing", null],
  ["an object", { prompt: "x" }],
])("%s is refused before there is an output", async (_, input) => {
  const { output, summary } = run(input as never);
  await expect(summary).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
    message: expect.stringContaining("`options.input`"),
  });
  expect(existsSync(output)).toBe(false);
});

test.each(["a line", 5, null])(
  "an item %p is no line, and no error for each line",
  async (item) => {
    const { output, summary } = run([{ prompt: "eins" }, item as never]);
    await expect(summary).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining("`options.input[1]`"),
    });
    expect(linesOf(output)).toHaveLength(1);
  },
);
