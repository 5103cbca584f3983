// Saved sequences with bytes changed, cut off or put in, some of them with a checksum that is right
// again: restored or refused with a code, and the sequence works afterwards.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { Model, Sampler } from "../../dist/index.js";
import { demandCode, folder, fuzz, MODEL } from "./runner.mjs";

const model = await Model.load(MODEL);
const context = await model.createContext({ contextSize: 64, threads: 1 });
const path = join(folder, "state");
const sequence = await context.createSequence();
const sampler = Sampler.greedy();

/** An even number of tokens: then their hash goes on into that of the state. */
await sequence.evaluate([1, 2, 3, 4, 5, 6]);
await sequence.save(path);
const original = await readFile(path);

const MASK = (1n << 64n) - 1n;
const HEADER = 40;

/** As core/state_file.cpp has it. */
function checksum(bytes) {
  const PRIME = 0x100000001b3n;
  let sum = 0xcbf29ce484222325n;
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    sum = ((sum ^ bytes.readBigUInt64LE(at)) * PRIME) & MASK;
    sum ^= sum >> 29n;
  }
  for (; at < bytes.length; at++) sum = ((sum ^ BigInt(bytes[at])) * PRIME) & MASK;
  return sum;
}

function mended(bytes) {
  if (bytes.length < HEADER) return bytes;
  const tokens = 4 * bytes.readUInt32LE(12);
  if (tokens <= bytes.length - HEADER) {
    bytes.writeBigUInt64LE(BigInt(bytes.length - HEADER - tokens), 24);
  }
  bytes.writeBigUInt64LE(checksum(bytes.subarray(HEADER)), 32);
  return bytes;
}

if (checksum(original.subarray(HEADER)) !== original.readBigUInt64LE(32)) {
  throw new Error("The format is another one now: this file has to follow");
}

/** Where llama.cpp's own headers are, most of the time. */
const place = fc.oneof(
  fc.nat(HEADER + 23),
  fc.integer({ min: HEADER + 24, max: HEADER + 400 }),
  fc.nat(original.length - 1),
);
const edit = fc.oneof(
  fc.record({ kind: fc.constant("set"), at: place, byte: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff) }),
  fc.record({ kind: fc.constant("flip"), at: place, bit: fc.nat(7) }),
  fc.record({
    kind: fc.constant("word"),
    at: place,
    word: fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, 65, 1000),
  }),
  fc.record({ kind: fc.constant("cut"), at: place }),
  fc.record({ kind: fc.constant("drop"), at: place, count: fc.nat(16) }),
  fc.record({ kind: fc.constant("add"), at: place, count: fc.nat(16) }),
);

function edited(bytes, { kind, at, byte, bit, word, count }) {
  const from = Math.min(at, bytes.length - 1);
  if (kind === "cut") return bytes.subarray(0, from);
  if (kind === "drop")
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + count)]);
  if (kind === "add") {
    return Buffer.concat([bytes.subarray(0, from), Buffer.alloc(count, 7), bytes.subarray(from)]);
  }
  const copy = Buffer.from(bytes);
  if (kind === "set") copy[from] = byte;
  if (kind === "flip") copy[from] ^= 1 << bit;
  if (kind === "word" && from + 4 <= copy.length) copy.writeUInt32LE(word, from);
  return copy;
}

await fuzz([
  {
    name: "state-files",
    arbitrary: fc.tuple(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.boolean()),
    run: async ([edits, mends]) => {
      const damaged = edits.reduce(
        (bytes, one) => (bytes.length === 0 ? bytes : edited(bytes, one)),
        original,
      );
      await writeFile(path, mends ? mended(Buffer.from(damaged)) : damaged);
      await demandCode(async () => {
        await sequence.restore(path);
        await sequence.evaluate([7]);
        await sequence.sample(sampler);
      });
      await sequence.trim(0);
      await sequence.evaluate([1, 2]);
      await sequence.sample(sampler);
    },
  },
]);
await model.dispose();
