import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { type Context, Model, type PromptSegment } from "../../lib/index.js";
import { Random } from "../support/random.js";
import { writeRandomModel } from "../support/random-model.js";
import { bmp, pngOf, stripes, wav, wavOf, wavOfFloats } from "../support/tiny-media.js";
import {
  type ProjectorChanges,
  writeIdefics,
  writeLlava,
  writeQwen2Vl,
  writeUltravox,
} from "../support/tiny-projectors.js";

const AFTER = { tokens: [23, 29, 31] };
const picture = stripes(60, 40, 90);
const sound = wav(0.5, 440);
/** A picture of one pixel, as browsers have it. */
const gif = Buffer.from("R0lGODdhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=", "base64");

let directory: string;
let path: string;
let seeing: Model;
let hearing: Model;
let eyes: Context;
let ears: Context;
const at = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cria-media-"));
  path = at("model.gguf");
  await writeRandomModel(path, 3);
  writeLlava(at("llava.gguf"));
  writeUltravox(at("ultravox.gguf"));
  seeing = await Model.load(path, { projector: at("llava.gguf") });
  hearing = await Model.load(path, { projector: at("ultravox.gguf") });
  eyes = await seeing.createContext({ contextSize: 1024, threads: 2 });
  ears = await hearing.createContext({ contextSize: 1024, threads: 2 });
});

afterAll(async () => {
  await seeing.dispose();
  await hearing.dispose();
  rmSync(directory, { recursive: true });
});

const look = (image: Uint8Array | string) =>
  eyes.generateText([{ image }, AFTER], { maxTokens: 1 });
const listen = (audio: Uint8Array | string) =>
  ears.generateText([{ audio }, AFTER], { maxTokens: 1 });

function bmpHeader(width: number, height: number): Buffer {
  const header = bmp(1, 1).subarray(0, 54);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(height, 22);
  return header;
}

const side = 100_000;
const bomb = deflateSync(Buffer.alloc(1 << 20));
const PICTURES: [string, Uint8Array, RegExp][] = [
  ["no bytes", new Uint8Array(0), /no bytes/],
  ["text", Buffer.from("hello"), /JPEG, PNG, GIF or BMP/],
  ["a sound", sound, /got a sound/],
  ["a WebP file", Buffer.from("RIFF\0\0\0\0WEBPVP8 ", "latin1"), /WebP/],
  ["a PNG's signature", picture.subarray(0, 8), /header|cut off/],
  ["a PNG's half", picture.subarray(0, picture.length >> 1), /cut off/],
  ["a PNG without its end", picture.subarray(0, picture.length - 12), /cut off/],
  ["a PNG of 100,000 × 100,000", pngOf(side, side, bomb), /100000 × 100000|header/],
  ["a PNG of no pixels", pngOf(0, 0, bomb), /header|pixel/],
  ["a PNG with more data than pixels", pngOf(2, 2, Buffer.alloc(1 << 16)), /more data/],
  ["a PNG whose data are none", pngOf(2, 2, Buffer.from([1, 2, 3])), /damaged/],
  ["a BMP of 100,000 × 100,000", bmpHeader(side, side), /100000 × 100000/],
  ["a BMP without pixels", bmpHeader(100, 100), /cut off/],
  ["a GIF's half", gif.subarray(0, 20), /cut off|header/],
  ["a JPEG's start", Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]), /header|cut off/],
];

test.each(PICTURES)("%s is no picture", async (_, bytes, message) => {
  await expect(look(bytes)).rejects.toMatchObject({
    code: "ERR_MEDIA_INVALID",
    message: expect.stringMatching(message),
  });
});

const SOUNDS: [string, Uint8Array, RegExp][] = [
  ["no bytes", new Uint8Array(0), /no bytes/],
  ["a picture", picture, /WAV, MP3 or FLAC/],
  ["an Ogg file", Buffer.from("OggS\0\0\0\0\0\0\0\0"), /Ogg/],
  ["a WAV's header", sound.subarray(0, 44), /cut off|no samples|header/],
  ["a WAV's half", sound.subarray(0, sound.length >> 1), /cut off/],
  ["a WAV that promises 4 GB", wavOf(Buffer.alloc(3200), 0xfffffff0), /cut off/],
  ["FLAC's name alone", Buffer.from("fLaC\0\0\0\x22"), /header/],
  ["a WAV of one sample", wavOf(Buffer.alloc(2), 2), /too few samples/],
  ["a WAV of what is no number", wavOfFloats(new Float32Array(8000).fill(NaN)), /no numbers/],
  ["a WAV of infinities", wavOfFloats(new Float32Array(8000).fill(Infinity)), /no numbers/],
  ["a WAV that is far too loud", wavOfFloats(new Float32Array(8000).fill(1e38)), /no numbers/],
  ["an ID3 tag alone", Buffer.from("ID3\x04\0\0\0\0\0\0"), /header|samples/],
];

test.each(SOUNDS)("%s is no sound", async (_, bytes, message) => {
  await expect(listen(bytes)).rejects.toMatchObject({
    code: "ERR_MEDIA_INVALID",
    message: expect.stringMatching(message),
  });
});

test("a BMP may begin with its upper row", async () => {
  const { usage } = await look(bmp(20, -12));
  expect(usage.promptTokens).toBe((await look(bmp(20, 12))).usage.promptTokens);
});

test("what a projector makes that is no number fails alone", async () => {
  // As if its file were damaged: the last layer's bias.
  const bytes = readFileSync(at("llava.gguf"));
  for (let at = bytes.length - 64; at < bytes.length; at += 4) bytes.writeFloatLE(Number.NaN, at);
  writeFileSync(at("nan.gguf"), bytes);
  const loaded = await Model.load(path, { projector: at("nan.gguf") });
  const own = await loaded.createContext({ contextSize: 256, flashAttention: false });
  await expect(own.generateText([{ image: picture }, AFTER])).rejects.toMatchObject({
    code: "ERR_DECODE_FAILED",
    message: expect.stringContaining("not finite"),
  });
  await own.generateText([AFTER], { maxTokens: 2 });
  await loaded.dispose();
});

test("a path that leads nowhere is a coded error", async () => {
  await expect(look(at("none.png"))).rejects.toMatchObject({ code: "ERR_MEDIA_INVALID" });
  await expect(look(directory)).rejects.toMatchObject({ code: "ERR_MEDIA_INVALID" });
});

/** As many bytes as that changed, each by chance. */
function spoilt(bytes: Uint8Array, random: Random): Buffer {
  const copy = Buffer.from(bytes);
  for (let count = 1 + random.below(8); count > 0; count--) {
    copy[random.below(copy.length)] = random.below(256);
  }
  return random.below(4) === 0 ? copy.subarray(0, random.below(copy.length)) : copy;
}

const coded = (error: unknown) => {
  expect(error).toMatchObject({
    code: expect.stringMatching(/^ERR_(MEDIA_INVALID|CONTEXT_FULL)$/),
  });
};

test("files of which some bytes were changed are read or refused", async () => {
  const random = new Random(5);
  for (let round = 0; round < 120; round++) {
    await look(spoilt(round % 3 === 0 ? gif : picture, random)).catch(coded);
    if (round % 4 === 0) await listen(spoilt(sound, random)).catch(coded);
  }
  await look(picture);
  await listen(sound);
});

type Write = (path: string, changes?: ProjectorChanges) => void;

const PROJECTORS: [string, Write, ProjectorChanges, RegExp][] = [
  ["no position table", writeLlava, { without: "v.position_embd.weight" }, /v\.position_embd/],
  ["no patches", writeIdefics, { without: "v.patch_embd.weight" }, /v\.patch_embd/],
  ["no queries", writeLlava, { without: "v.blk.0.attn_q.weight" }, /attn_q/],
  ["no bias", writeQwen2Vl, { without: "v.blk.0.attn_k.bias" }, /attn_k\.bias/],
  ["no second matrix", writeLlava, { without: "mm.2.weight" }, /mm\.2\.weight/],
  ["no table of times", writeUltravox, { without: "a.position_embd.weight" }, /a\.position_embd/],
  [
    "heads that do not divide",
    writeLlava,
    { metadata: { "clip.vision.attention.head_count": 3 } },
    /heads/,
  ],
  ["no heads", writeLlava, { metadata: { "clip.vision.attention.head_count": 0 } }, /head_count/],
  ["patches of nothing", writeLlava, { metadata: { "clip.vision.patch_size": 0 } }, /patch_size/],
  [
    "pictures of nothing",
    writeIdefics,
    { metadata: { "clip.vision.image_size": 0 } },
    /image_size/,
  ],
  [
    "a giant picture",
    writeLlava,
    { metadata: { "clip.vision.image_size": 1 << 30 } },
    /image_size/,
  ],
  [
    "a thousand layers",
    writeLlava,
    { metadata: { "clip.vision.block_count": 1000 } },
    /block_count/,
  ],
  ["a model's architecture", writeLlava, { metadata: { "general.architecture": "llama" } }, /clip/],
];

test.each(PROJECTORS)("a projector with %s is refused", async (_, write, changes, message) => {
  write(at("bad.gguf"), changes);
  await expect(Model.load(path, { projector: at("bad.gguf") })).rejects.toMatchObject({
    code: "ERR_MODEL_INVALID",
    message: expect.stringMatching(message),
  });
});

test.each(["hunyuanvl", "deepseek4v", "qwen3tts_spkenc", "anything"])(
  "a projector of the kind %s is not supported",
  async (kind) => {
    writeLlava(at("kind.gguf"), { metadata: { "clip.projector_type": kind } });
    await expect(Model.load(path, { projector: at("kind.gguf") })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
  },
);

test("an assertion of ggml's while it encodes ends the projector, and nothing else", async () => {
  writeLlava(at("short.gguf"), { places: 5 });
  const loaded = await Model.load(path, { projector: at("short.gguf") });
  const own = await loaded.createContext({ contextSize: 256, threads: 2 });
  const failed = { code: "ERR_INTERNAL", message: expect.stringMatching(/short\.gguf" failed/) };
  for (const image of [picture, stripes(60, 40, 3)]) {
    await expect(own.generateText([{ image }, AFTER])).rejects.toMatchObject(failed);
  }
  const { tokens } = await own.generateText([AFTER], { maxTokens: 2 });
  expect(tokens).toHaveLength(2);
  await loaded.dispose();
  await look(picture);
});

test("a projector of another width is refused", async () => {
  await expect(
    Model.load(join(__dirname, "..", "..", "models", "cria-demo.gguf"), {
      projector: at("llava.gguf"),
    }),
  ).rejects.toMatchObject({ code: "ERR_MODEL_INVALID" });
});

test("projectors of which some bytes were changed encode, or are refused", async () => {
  const random = new Random(6);
  for (const [name, media] of [
    ["llava.gguf", { image: picture }],
    ["ultravox.gguf", { audio: sound }],
  ] as const) {
    const whole = readFileSync(at(name));
    for (let round = 0; round < 30; round++) {
      const bytes = Buffer.concat([spoilt(whole.subarray(0, 4096), random), whole.subarray(4096)]);
      writeFileSync(at("spoilt.gguf"), bytes);
      await encodesOrFails(at("spoilt.gguf"), media);
    }
  }
});

async function encodesOrFails(projector: string, media: PromptSegment): Promise<void> {
  let loaded: Model | undefined;
  try {
    loaded = await Model.load(path, { projector });
    const own = await loaded.createContext({ contextSize: 1024, threads: 2 });
    await own.generateText([media, AFTER], { maxTokens: 1 });
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_/) });
  } finally {
    await loaded?.dispose();
  }
}
