// Damaged pictures, sounds and projectors: each must be taken or be refused with a code. The contexts that
// they are for go on.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CriaError, Model } from "../../dist/index.js";
import { flipped, random } from "./damage.mjs";

const [, , directory, ...counts] = process.argv;
const [mediaCount, projectorCount] = counts.map(Number);
const at = (name) => join(directory, name);
const files = async (...names) => {
  const all = await Promise.all(names.map((name) => readFile(at(name))));
  return all.map((bytes, i) => ({ name: names[i], bytes }));
};
const pictures = await files("a.png", "gray.png", "palette.png", "a.jpg", "a.gif", "a.bmp");
const sounds = await files("a.wav", "floats.wav", "a.mp3", "a.flac");
const bombs = await files("wide.png", "deep.png", "large.gif", "large.bmp", "scans.jpg");
const AFTER = { tokens: [23, 29, 31] };
const greedy = { temperature: 0, maxTokens: 2 };

const counted = {};
async function attempt(kind, use) {
  counted[kind] ??= { taken: 0, refused: 0 };
  try {
    await use();
    counted[kind].taken++;
  } catch (error) {
    if (!CriaError.is(error) || error.code === "ERR_INTERNAL") throw error;
    counted[kind].refused++;
  }
}

/** Cut off, of flipped bytes, of a piece that is there twice, of another file's end. */
function damaged({ bytes }, others, seed) {
  const next = random(seed);
  const place = () => Math.floor(next() * bytes.length);
  switch (seed % 8) {
    case 0:
      return bytes.subarray(0, place());
    case 1: {
      const from = place();
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(Math.floor(from / 2))]);
    }
    case 2: {
      const other = others[Math.floor(next() * others.length)].bytes;
      const from = place();
      return Buffer.concat([bytes.subarray(0, from), other.subarray(Math.min(from, other.length))]);
    }
    case 3:
      return flipped(bytes, seed, bytes.length, 50);
    case 4:
    case 5:
      return flipped(bytes, seed, Math.min(bytes.length, 100), 1 + (seed % 3));
    default:
      return flipped(bytes, seed, bytes.length, 1);
  }
}

const model = at("model.gguf");
const seeing = await Model.load(model, { projector: at("llava.gguf") });
const hearing = await Model.load(model, { projector: at("ultravox.gguf") });
const eyes = await seeing.createContext({ contextSize: 512, flashAttention: false });
// Half a minute of sound does not fit, and so is not encoded; each twentieth is.
const ears = await hearing.createContext({ contextSize: 128 });
const longEars = await hearing.createContext({ contextSize: 512, flashAttention: false });

const before = await eyes.generateText([AFTER], greedy);
for (const { name, bytes } of bombs) {
  await attempt(name, () => eyes.generateText([{ image: bytes }, AFTER], greedy));
}
for (const { bytes } of pictures) await eyes.generateText([{ image: bytes }, AFTER], greedy);
for (const { bytes } of sounds) await longEars.generateText([{ audio: bytes }, AFTER], greedy);
for (let seed = 0; seed < mediaCount; seed++) {
  const seen = seed % 5 < 3;
  const kinds = seen ? pictures : sounds;
  const whole = kinds[Math.floor(seed / 5) % kinds.length];
  const bytes = damaged(whole, seen ? sounds : pictures, seed);
  const media = seen ? { image: bytes } : { audio: bytes };
  const context = seen ? eyes : seed % 100 < 5 ? longEars : ears;
  await attempt(whole.name, () => context.generateText([media, AFTER], greedy));
}

for (const [name, media] of [
  ["llava.gguf", { image: pictures[0].bytes }],
  ["qwen2vl.gguf", { image: pictures[0].bytes }],
  ["ultravox.gguf", { audio: sounds[0].bytes }],
]) {
  const whole = await readFile(at(name));
  const header = whole.indexOf("general.architecture") + 4000;
  for (let seed = 0; seed < projectorCount / 3; seed++) {
    const bytes =
      seed % 10 === 0
        ? whole.subarray(0, Math.floor((whole.length * seed * 3) / projectorCount))
        : flipped(whole, seed, seed % 10 === 1 ? whole.length : header, 1 + (seed % 4));
    await writeFile(at("damaged.gguf"), bytes);
    await attempt(name, async () => {
      const loaded = await Model.load(at(name === "qwen2vl.gguf" ? "mrope.gguf" : "model.gguf"), {
        projector: at("damaged.gguf"),
      });
      try {
        // Each third encodes: that takes longest.
        const own = await loaded.createContext({ contextSize: seed % 3 === 0 ? 512 : 8 });
        await own.generateText([media, AFTER], greedy);
      } catch (error) {
        // An assertion inside of the graph ends the projector, and nothing else.
        if (!/damaged\.gguf" failed/.test(error.message)) throw error;
      } finally {
        await loaded.dispose();
      }
    });
  }
}

const after = await eyes.generateText([AFTER], { ...greedy, cachePrompt: false });
if (after.text !== before.text) throw new Error("The context says something else now");
await longEars.generateText([{ audio: sounds[0].bytes }, AFTER], greedy);
const few = mediaCount / 200;
for (const [name, { taken, refused }] of Object.entries(counted)) {
  const bomb = bombs.some((one) => one.name === name);
  if (bomb ? taken > 0 : refused < few) {
    throw new Error(`${name} was refused too rarely: ${JSON.stringify({ taken, refused })}`);
  }
}
await seeing.dispose();
await hearing.dispose();
