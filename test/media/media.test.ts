import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  ChatSession,
  type Context,
  Model,
  type Prompt,
  promptToString,
  renderChat,
  Sampler,
} from "../../lib/index.js";
import { processorTime } from "../support/processor-time.js";
import { writeRandomModel } from "../support/random-model.js";
import { stripes, wav } from "../support/tiny-media.js";
import { writeGemma3, writeLlava, writeUltravox } from "../support/tiny-projectors.js";

/** Of a picture in LLaVA's grid. */
const ROWS = 16;
const BEFORE = { tokens: [7, 11, 13, 17, 19] };
const AFTER = { tokens: [23, 29, 31] };
const picture = stripes(60, 40, 90);
const other = stripes(60, 40, 91);
const greedy = { sampler: Sampler.greedy(), maxTokens: 8 };

let directory: string;
let path: string;
let model: Model;
let context: Context;
const at = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cria-media-"));
  path = at("model.gguf");
  await writeRandomModel(path, 3);
  writeLlava(at("llava.gguf"));
  writeUltravox(at("ultravox.gguf"));
  model = await Model.load(path, { projector: at("llava.gguf") });
  context = await model.createContext({ contextSize: 1024, sequences: 3, threads: 2 });
});

afterAll(async () => {
  await model.dispose();
  rmSync(directory, { recursive: true });
});

const ids = async (prompt: Prompt, where = context, more = {}) => {
  const { tokens, usage } = await where.generateText(prompt, { ...greedy, ...more });
  return { tokens: [...tokens], usage };
};

test("a model says what its projector takes", async () => {
  expect(model.media).toEqual({ image: true, audio: false });
  const deaf = await Model.load(path);
  expect(deaf.media).toEqual({ image: false, audio: false });
  const own = await deaf.createContext({ contextSize: 256 });
  await expect(own.generateText([{ image: picture }], greedy)).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
    message: expect.stringContaining("`projector`"),
  });
  await deaf.dispose();
  await expect(ids([{ audio: wav(0.1, 440) }, AFTER])).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
  });
});

test("a second question behind the same picture evaluates only the question", async () => {
  // Where a prefix of any length may be shared.
  const own = await model.createContext({ contextSize: 256, sequences: 3, kvCache: "unified" });
  await ids([BEFORE, { image: picture }, AFTER], own);
  const question = { tokens: [41, 43] };
  const second = await ids([BEFORE, { image: picture }, question], own);
  expect(second.usage.cachedTokens).toBe(BEFORE.tokens.length + ROWS);
  const alone = await ids([BEFORE, { image: picture }, question], own, { cachePrompt: false });
  expect(alone.usage.cachedTokens).toBe(0);
  expect(second.tokens).toEqual(alone.tokens);
  const changed = await ids([BEFORE, { image: other }, AFTER], own);
  expect(changed.usage.cachedTokens).toBe(BEFORE.tokens.length);
  await own.dispose();
});

test("a prefix that ends inside of a picture begins before it", async () => {
  const before = { tokens: Array.from({ length: 40 }, (_, index) => 3 + index) };
  const first = await ids([before, { image: picture }]);
  const again = await ids([before, { image: picture }]);
  expect(again.usage.promptTokens).toBe(before.tokens.length + ROWS);
  expect(again.usage.cachedTokens).toBe(before.tokens.length);
  expect(again.tokens).toEqual(first.tokens);
});

test.each(["per-sequence", "unified"] as const)(
  "pictures beside other requests, %s cache: as alone",
  async (kvCache) => {
    const own = await model.createContext({ contextSize: 512, sequences: 4, kvCache, threads: 2 });
    const prompts: Prompt[] = [
      [BEFORE, { image: picture }, AFTER],
      [{ tokens: Array.from({ length: 200 }, (_, index) => 3 + index) }],
      [{ image: other }, AFTER, { image: picture }, AFTER],
      [AFTER, { image: other }, BEFORE],
    ];
    const alone = [];
    for (const prompt of prompts)
      alone.push((await ids(prompt, own, { cachePrompt: false })).tokens);
    const together = await Promise.all(
      prompts.map(async (prompt) => (await ids(prompt, own, { cachePrompt: false })).tokens),
    );
    expect(together).toEqual(alone);
    await own.dispose();
  },
);

test("text that spells a marker is text", async () => {
  const text = "<__media__> <image>";
  const { usage } = await ids([{ text }, { image: picture }, { text }]);
  expect(usage.promptTokens).toBe(2 * model.tokenize(text).length + ROWS);
});

test("a context's score sees the picture", async () => {
  const candidates = [5, 6, 7];
  const scores = async (image: Uint8Array) => [
    ...(await context.score([BEFORE, { image }, AFTER], candidates)),
  ];
  expect(await scores(picture)).not.toEqual(await scores(other));
});

test("a picture that does not fit is refused before it is encoded", async () => {
  const small = await model.createContext({ contextSize: ROWS + 4 });
  await expect(small.generateText([BEFORE, { image: picture }], greedy)).rejects.toMatchObject({
    code: "ERR_CONTEXT_FULL",
  });
  await small.dispose();
});

test("a picture behind texts that are too long together is refused for these", async () => {
  const text = { text: "a llama ".repeat(60) };
  const tokens = model.tokenize(text.text).length;
  const small = await model.createContext({ contextSize: tokens + 8 });
  await expect(small.generateText([text, text, { image: picture }], greedy)).rejects.toMatchObject({
    code: "ERR_CONTEXT_FULL",
    message: expect.stringMatching(/The prompt has \d+ tokens in front of the image, more than/),
  });
  await small.dispose();
});

test("what another context has encoded needs room in each", async () => {
  // The rows of Gemma 3's pictures are evaluated together.
  writeGemma3(at("gemma3.gguf"));
  const gemma = await Model.load(path, { projector: at("gemma3.gguf") });
  const prompt = [BEFORE, { image: picture }, AFTER];
  const large = await gemma.createContext({ contextSize: 256 });
  await ids(prompt, large);
  for (const batchSize of [8, 64]) {
    const own = await gemma.createContext({ contextSize: 256, microBatchSize: 8, batchSize });
    await expect(ids(prompt, own)).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining("`microBatchSize`"),
    });
    await ids([BEFORE], own);
  }
  await gemma.dispose();
});

test("a sequence that is driven by hand takes none", async () => {
  const sequence = await context.createSequence();
  await expect(sequence.evaluate([{ image: picture }])).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
  });
  await sequence.dispose();
});

test("an abort while a picture is prepared takes effect, and nobody else notices", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const aborted = context.generateText([{ image: stripes(900, 700, 5) }, AFTER], {
    ...greedy,
    signal: controller.signal,
  });
  const beside = ids([BEFORE, { image: picture }, AFTER], context, { cachePrompt: false });
  controller.abort(reason);
  await expect(aborted).rejects.toBe(reason);
  expect((await beside).tokens).toHaveLength(8);
});

test("a context may be disposed while a picture is prepared", async () => {
  const own = await model.createContext({ contextSize: 256 });
  const pending = own.generateText([{ image: stripes(900, 700, 6) }, AFTER], greedy);
  const rejected = expect(pending).rejects.toMatchObject({ code: "ERR_DISPOSED" });
  await own.dispose();
  await rejected;
});

test("sounds are heard by a model that hears", async () => {
  const hearing = await Model.load(path, { projector: at("ultravox.gguf") });
  expect(hearing.media).toEqual({ image: false, audio: true });
  const own = await hearing.createContext({ contextSize: 1024, threads: 2 });
  const scores = async (audio: Uint8Array) => [
    ...(await own.score([BEFORE, { audio }, AFTER], [5, 6, 7])),
  ];
  const low = await scores(wav(1, 440));
  expect(await scores(wav(1, 2000))).not.toEqual(low);
  expect(await scores(wav(1, 440))).toEqual(low);
  await hearing.dispose();
});

describe("messages", () => {
  const url = `data:image/png;base64,${picture.toString("base64")}`;
  const question = { type: "text", text: "What is it?" } as const;

  test("a session's user shows a picture, and asks twice about it", async () => {
    const session = new ChatSession(context, { maxTokens: 4, sampler: Sampler.greedy() });
    const content = [{ type: "image", image: picture }, question] as const;
    const { usage, messages } = await session.send({ role: "user", content }).result();
    expect(usage.promptTokens).toBeGreaterThan(ROWS);
    expect(messages[0]).toEqual({ role: "user", content });
    const next = await session.send("And now?").result();
    expect(next.usage.cachedTokens).toBeGreaterThan(usage.promptTokens);
    const file = at("session.json");
    await session.save(file, { state: false });
    const restored = new ChatSession(context, { maxTokens: 4, sampler: Sampler.greedy() });
    await restored.restore(file);
    const asked = { role: "user", content: [{ type: "image_url" }, question] };
    expect(restored.messages[0]).toMatchObject(asked);
  });

  test.each([
    ["bytes", { type: "image", image: picture }],
    ["a data URL", { type: "image_url", image_url: { url } }],
  ] as const)("%s stand where their part stands", (_, part) => {
    const prompt = renderChat(
      [{ role: "user", content: [{ type: "text", text: "a <image>" }, part, question] }],
      { format: "llama-3.1", date: "x" },
    );
    const place = prompt.findIndex((segment) => "image" in segment);
    expect(prompt[place]).toEqual({ image: new Uint8Array(picture) });
    const shown = promptToString(prompt);
    expect(shown).toContain("a <image><image>What is it?");
    expect(shown).not.toMatch(/\d{39}/);
  });

  test("a history is cut by the tokens that its pictures take", async () => {
    const own = await model.createContext({ contextSize: 256, threads: 2 });
    const session = new ChatSession(own, { maxTokens: 4, sampler: Sampler.greedy() });
    let most = 0;
    for (let turn = 0; turn < 6; turn++) {
      // 64 rows a turn: four of them do not fit.
      const content = [0, 1, 2, 3].map((place) => {
        return { type: "image", image: stripes(20, 20, 10 * turn + place) } as const;
      });
      const { usage } = await session.send({ role: "user", content }).result();
      most = Math.max(most, usage.promptTokens);
    }
    expect(most).toBeGreaterThan(128);
    // One that is damaged is told by the turn itself.
    const content = [{ type: "image", image: Buffer.from("no picture") }] as const;
    await expect(session.send({ role: "user", content }).result()).rejects.toMatchObject({
      code: "ERR_MEDIA_INVALID",
    });
    await own.dispose();
  });

  test("a file URL is a path", () => {
    const part = {
      type: "image_url",
      image_url: { url: pathToFileURL(at("p.png")).href },
    } as const;
    const prompt = renderChat([{ role: "user", content: [part] }], { format: "llama-3.1" });
    expect(prompt).toContainEqual({ image: at("p.png") });
  });

  test.each(["https://example.com/a.png", "http://example.com/a.png", "ftp://x/y", "nowhere"])(
    "%s is not fetched",
    (url) => {
      const content = [{ type: "image_url", image_url: { url } }] as const;
      expect(() => renderChat([{ role: "user", content }])).toThrow(
        expect.objectContaining({ code: "ERR_UNSUPPORTED" }),
      );
    },
  );

  test.each(["data:image/png,abc", "data:image/png;base64,@@@@", "data:image/png;base64,"])(
    "%s is no base64",
    (url) => {
      const content = [{ type: "image_url", image_url: { url } }] as const;
      expect(() => renderChat([{ role: "user", content }])).toThrow(
        expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
      );
    },
  );

  test("a URL or base64 where a path belongs is told", () => {
    const base64 = "a".repeat(5000);
    for (const image of ["data:image/png;base64,aaaa", "https://example.com/a.png", base64]) {
      const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
      const content = [{ type: "image", image }] as const;
      expect(() => renderChat([{ role: "user", content }])).toThrow(refused);
      expect(() => context.generate([{ image }])).toThrow(refused);
    }
  });

  test("thousands of them cost each as much as one", () => {
    const content = (count: number) =>
      Array.from({ length: count }, () => ({ type: "image", image: picture }) as const);
    const rendered = (count: number) =>
      renderChat([{ role: "user", content: content(count) }], { format: "llama-3.1" });
    rendered(1000); // compiled now
    const few = processorTime(() => rendered(1000));
    let many: readonly unknown[] = [];
    const time = processorTime(() => {
      many = rendered(8000);
    });
    expect(many.filter((segment) => "image" in (segment as object))).toHaveLength(8000);
    // 64 times as much if each were looked for by itself.
    expect(time).toBeLessThan(32 * few + 50);
  });

  test("only a user's message may have them", () => {
    const content = [{ type: "image", image: picture }] as const;
    expect(() => renderChat([{ role: "system", content }])).toThrow(
      expect.objectContaining({ code: "ERR_UNSUPPORTED" }),
    );
  });
});
