import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { QUIET, runScript } from "../support/child.js";
import { writeRandomModel } from "../support/random-model.js";
import {
  bmp,
  flac,
  gif,
  JPEG,
  mp3,
  pngOf,
  stripes,
  wav,
  wavOfFloats,
} from "../support/tiny-media.js";
import {
  writeLlava,
  writeQwen2Vl,
  writeSeeingModel,
  writeUltravox,
} from "../support/tiny-projectors.js";

const directory = mkdtempSync(join(tmpdir(), "cria-damaged-media-"));
afterAll(() => rmSync(directory, { recursive: true }));
const at = (name: string) => join(directory, name);

/** Of another kind of pixels: 8 bits of grey are 0, of a palette 3. */
function pngOfKind(kind: number, more: Buffer): Buffer {
  const rows = Buffer.from(Array.from({ length: 12 * 21 }, (_, i) => (i % 21 === 0 ? 0 : i % 4)));
  const png = pngOf(20, 12, deflateSync(rows));
  png[25] = kind;
  return Buffer.concat([png.subarray(0, 33), more, png.subarray(33)]);
}

/** Red, green, blue and grey. */
const PALETTE = Buffer.from("\0\0\0\x0cPLTE\xff\0\0\0\xff\0\0\0\xff\x80\x80\x80\0\0\0\0", "latin1");

/** A progressive JPEG that goes over its picture once more with each scan. */
function scans(count: number): Buffer {
  const start = JPEG.indexOf(Buffer.of(0xff, 0xda));
  const end = JPEG.length - 2;
  const scan = JPEG.subarray(start, end);
  const head = Buffer.from(JPEG.subarray(0, start));
  head[head.indexOf(Buffer.of(0xff, 0xc0)) + 1] = 0xc2;
  return Buffer.concat([head, ...Array.from({ length: count }, () => scan), JPEG.subarray(end)]);
}

const large = gif(1);
large.writeUInt16LE(60_000, 6);
large.writeUInt16LE(60_000, 8);
const FILES: Readonly<Record<string, Buffer>> = {
  "a.png": stripes(60, 40, 90),
  "gray.png": pngOfKind(0, Buffer.alloc(0)),
  "palette.png": pngOfKind(3, PALETTE),
  "a.jpg": JPEG,
  "a.gif": gif(3),
  "a.bmp": bmp(20, -12),
  "a.wav": wav(0.1, 440),
  "floats.wav": wavOfFloats(Float32Array.from({ length: 1600 }, (_, i) => Math.sin(i / 6))),
  "a.mp3": mp3(4),
  "a.flac": flac(1),
  "wide.png": pngOf(100_000, 100_000, deflateSync(Buffer.alloc(1 << 20))),
  "deep.png": pngOf(2, 2, Buffer.alloc(1 << 16)),
  "large.gif": large,
  "large.bmp": bmp(100, 100).fill(0x7f, 18, 26),
  "scans.jpg": scans(1000),
};

const short = process.env.CRIA_TEST_SHORT !== undefined;

test("1,000 damaged media and 500 damaged projectors are refused or taken, and never end the process", async () => {
  await writeRandomModel(at("model.gguf"), 3);
  writeSeeingModel(at("mrope.gguf"), "qwen2vl");
  writeLlava(at("llava.gguf"));
  writeQwen2Vl(at("qwen2vl.gguf"));
  writeUltravox(at("ultravox.gguf"));
  for (const [name, bytes] of Object.entries(FILES)) writeFileSync(at(name), bytes);
  const counts = short ? ["200", "60"] : ["1000", "501"];
  const end = await runScript("hostile/damaged-media.mjs", { args: [directory, ...counts] });
  expect(end).toEqual(QUIET);
}, 300_000);
