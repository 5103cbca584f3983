import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  type ChatMessage,
  ChatSession,
  type ChatSessionOptions,
  type Context,
  CriaError,
  Model,
} from "../../lib/index.js";
import { MODEL } from "../support/paths.js";
import { GREEDY, weather } from "../support/session-tools.js";
import { writeLlama } from "../support/tiny-models.js";

const LISBON = "What is the weather in Lisbon?";
const FRENCH = "What is the capital of France?";
const FOOD = "What do llamas eat?";

let folder: string;
let model: Model;
let context: Context;
let other: Context;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cria-session-"));
  model = await Model.load(MODEL);
  const options = { contextSize: 2048, sequences: 2 };
  [context, other] = await Promise.all([
    model.createContext(options),
    model.createContext(options),
  ]);
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

let files = 0;
const newFile = () => join(folder, `${files++}.json`);

const FORMATS: readonly [string, ChatSessionOptions][] = [
  ["Llama 3.1", {}],
  ["the model's own template", { format: "template" }],
];

describe.each(FORMATS)("a session in the format of %s", (_, format) => {
  const options = { ...GREEDY, ...format, tools: [weather] };

  test("goes on in another context as if nothing had been, without evaluating it anew", async () => {
    const file = newFile();
    const session = new ChatSession(context, options);
    await session.send(LISBON).result();
    await session.send(FRENCH).result();
    const saved = await session.save(file);
    const resumed = new ChatSession(other, options);
    const restored = await resumed.restore(file);
    expect(restored).toEqual(saved);
    expect(restored.stateError).toBeUndefined();
    expect(resumed.messages).toEqual(session.messages);
    const [here, there] = await Promise.all(
      [session, resumed].map((one) => one.send(FOOD).result()),
    );
    expect(there?.message).toEqual(here?.message);
    expect(there?.usage.promptTokens).toBe(here?.usage.promptTokens);
    // All but what is behind the last message of the file.
    expect(there?.usage.cachedTokens).toBeGreaterThanOrEqual(restored.cachedTokens - 1);
    expect(restored.cachedTokens).toBeGreaterThan(200);
  });
});

test("a session goes on in another process, without evaluating it anew", async () => {
  const file = newFile();
  const script = join(__dirname, "saved-session.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, [script, MODEL, file]);
  const there = JSON.parse(stdout);
  const session = new ChatSession(context, GREEDY);
  const { cachedTokens } = await session.restore(file);
  const here = await session.send(FOOD).result();
  expect(here.message).toEqual(there.message);
  expect(here.usage).toEqual(there.usage);
  expect(here.usage.cachedTokens).toBe(cachedTokens);
});

describe("what is saved", () => {
  const said = async (options: ChatSessionOptions = {}) => {
    const session = new ChatSession(context, { ...GREEDY, ...options });
    await session.send(FRENCH).result();
    return session;
  };

  test("is readable, and the messages alone without the state", async () => {
    const file = newFile();
    const session = await said();
    await session.save(file);
    expect(existsSync(`${file}.state`)).toBe(true);
    expect(await session.save(file, { state: false })).toEqual({ cachedTokens: 0 });
    // An older state is not left lying about.
    expect(existsSync(`${file}.state`)).toBe(false);
    const written = JSON.parse(readFileSync(file, "utf8"));
    expect(written).toMatchObject({ format: "cria-chat-session", model: model.fingerprint });
    expect(written.messages).toMatchObject(session.messages);
  });

  test("has all kinds of messages, in the same words", async () => {
    const messages: ChatMessage[] = [
      { role: "system", content: "Be brief." },
      { role: "assistant", content: "Hello \ud83e\udd99" },
      { role: "user", content: "" },
      { role: "assistant", content: "", reasoning_content: "hm" },
      { role: "user", content: LISBON },
      {
        role: "assistant",
        content: "",
        tool_calls: [1, 2].map((id) => ({
          ...{ id: `${id}`, type: "function" as const },
          function: { name: "get_weather", arguments: `{"city":"${id}"}` },
        })),
      },
      { role: "tool", content: "rain", tool_call_id: "1", name: "get_weather" },
    ];
    const session = new ChatSession(context, { messages });
    const file = newFile();
    await session.save(file, { state: false });
    const again = new ChatSession(context);
    await again.restore(file);
    expect(again.messages).toEqual(session.messages);
    const twice = newFile();
    await again.save(twice, { state: false });
    expect(readFileSync(twice, "utf8")).toBe(readFileSync(file, "utf8"));
  });

  test.each([1, 2])("has its state from the cache, with %d sequences", async (sequences) => {
    const own = await model.createContext({ contextSize: 1024, sequences });
    for (const format of ["auto", "template"] as const) {
      const session = new ChatSession(own, { ...GREEDY, format, tools: [weather] });
      await session.send(LISBON).result();
      await session.send(FRENCH).result();
      const before = own.stats.decodedTokens;
      const { cachedTokens } = await session.save(newFile());
      expect(cachedTokens).toBeGreaterThan(200);
      // What ends the last message. The template writes the answer as text, which may be cut otherwise.
      expect(own.stats.decodedTokens - before).toBeLessThan(30);
      const again = own.stats.decodedTokens;
      await session.save(newFile());
      expect(own.stats.decodedTokens - again).toBe(1);
      // The next turn finds it as before.
      const { usage } = await session.send(FOOD).result();
      expect(usage.cachedTokens).toBeGreaterThan(200);
    }
    await own.dispose();
  });

  test("is nothing of an empty session but that", async () => {
    const file = newFile();
    expect(await new ChatSession(context).save(file)).toEqual({ cachedTokens: 0 });
    const session = await said();
    await session.restore(file);
    expect(session.messages).toEqual([]);
  });

  test("what the prompt leaves out, and the summary of it, come along", async () => {
    const small = await model.createContext({ contextSize: 128, sequences: 2 });
    const summarize = () => "They spoke of llamas.";
    const own = { ...GREEDY, maxTokens: 30, summarize };
    const session = new ChatSession(small, own);
    for (let turn = 0; turn < 6; turn++) await session.send(`${turn} ${FOOD}`).result();
    expect(session.summary).toBe("They spoke of llamas.");
    const file = newFile();
    const { cachedTokens } = await session.save(file);
    expect(cachedTokens).toBeGreaterThan(0);
    const resumed = new ChatSession(small, own);
    await resumed.restore(file);
    expect(resumed.summary).toBe(session.summary);
    const [a, b] = [await session.send("Hi").result(), await resumed.send("Hi").result()];
    expect(b.message).toEqual(a.message);
    expect(b.usage.promptTokens).toBe(a.usage.promptTokens);
    await small.dispose();
  });

  test("waits for the turns before it", async () => {
    const file = newFile();
    const session = new ChatSession(context, GREEDY);
    const turn = session.send(FRENCH);
    const [, , { message }] = await Promise.all([
      session.save(file),
      session.restore(file),
      turn.result(),
    ]);
    expect(session.messages).toEqual([{ role: "user", content: FRENCH }, message]);
  });

  test("once it is aborted, neither the turns nor what was there suffer", async () => {
    const file = newFile();
    const session = await said();
    const before = session.messages;
    const signal = AbortSignal.abort("enough");
    await expect(session.save(file, { signal })).rejects.toBe("enough");
    expect(existsSync(file)).toBe(false);
    await session.save(file);
    await expect(session.restore(file, { signal })).rejects.toBe("enough");
    expect(session.messages).toEqual(before);
    await session.send(FOOD).result();
  });

  test("cannot be written: the session lives on", async () => {
    const session = await said();
    const failure = { code: "ERR_STATE_INVALID", message: expect.stringContaining("written") };
    await expect(session.save(join(folder, "nowhere", "x"))).rejects.toMatchObject(failure);
    mkdirSync(join(folder, "directory"));
    await expect(session.save(join(folder, "directory"))).rejects.toMatchObject(failure);
    const locked = newFile();
    writeFileSync(locked, "{}");
    chmodSync(locked, 0o444);
    await expect(session.save(locked)).rejects.toMatchObject(failure);
    expect(readFileSync(locked, "utf8")).toBe("{}");
    await session.send(FOOD).result();
  });
});

describe("without the state", () => {
  let file: string;
  let messages: readonly ChatMessage[];
  beforeAll(async () => {
    file = newFile();
    const session = new ChatSession(context, GREEDY);
    await session.send(FRENCH).result();
    await session.save(file);
    ({ messages } = session);
  });

  async function resumed(on: Context) {
    const session = new ChatSession(on, GREEDY);
    const { cachedTokens, stateError } = await session.restore(file);
    expect(session.messages).toEqual(messages);
    expect(cachedTokens).toBe(0);
    expect((await session.send(FOOD).result()).stopReason).toBe("end-of-turn");
    return stateError;
  }

  test("where the context keeps its cache otherwise, the messages go on", async () => {
    const plain = await model.createContext({
      contextSize: 1024,
      kvCacheType: "f32",
      flashAttention: false,
    });
    expect(await resumed(plain)).toMatchObject({ code: "ERR_STATE_INVALID" });
    const small = await model.createContext({ contextSize: 64, sequences: 2 });
    const short = new ChatSession(small, GREEDY);
    expect(await short.restore(file)).toMatchObject({
      cachedTokens: 0,
      stateError: expect.any(CriaError),
    });
    expect(short.messages).toEqual(messages);
    await Promise.all([plain.dispose(), small.dispose()]);
  });

  test("where no sequence is free, likewise, also when saving", async () => {
    const one = await model.createContext({ contextSize: 512 });
    const held = await one.createSequence();
    const session = new ChatSession(one, GREEDY);
    expect(await session.restore(file)).toMatchObject({ stateError: { code: "ERR_CONTEXT_FULL" } });
    expect(session.messages).toEqual(messages);
    const again = newFile();
    expect(await session.save(again)).toMatchObject({ stateError: { code: "ERR_CONTEXT_FULL" } });
    expect(existsSync(`${again}.state`)).toBe(false);
    await held.dispose();
    expect((await session.save(again)).stateError).toBeUndefined();
    await one.dispose();
  });

  test("of another model nothing but the messages is taken", async () => {
    const path = join(folder, "random.gguf");
    writeLlama(path);
    const random = await Model.load(path);
    const own = await random.createContext({ contextSize: 512 });
    const session = new ChatSession(own, { format: "llama-3.1" });
    expect(await session.restore(file)).toEqual({ cachedTokens: 0 });
    expect(session.messages).toEqual(messages);
    await random.dispose();
  });

  test("where its file is gone or damaged, likewise", async () => {
    const state = readFileSync(`${file}.state`);
    for (const broken of [undefined, state.subarray(0, 100), Buffer.alloc(500, 7)]) {
      rmSync(`${file}.state`);
      if (broken !== undefined) writeFileSync(`${file}.state`, broken);
      expect(await resumed(other)).toMatchObject({ code: "ERR_STATE_INVALID" });
      writeFileSync(`${file}.state`, state);
    }
  });
});

describe("a file of somebody who means harm", () => {
  const good = {
    ...{ format: "cria-chat-session", version: 1, model: "" },
    ...{ dropped: 0, summary: "", summarized: 0 },
    messages: [{ role: "user", content: "Hi" }],
  };
  const reply = (value: unknown) => ({
    ...good,
    messages: [...good.messages, { role: "assistant", content: "Hi", reply: value }],
  });

  test.each<[string, unknown]>([
    ["nothing", ""],
    ["no JSON", "{"],
    ["no UTF-8", Buffer.of(0x22, 0xff, 0x22)],
    ["null", null],
    ["an array", []],
    ["another format", { ...good, format: "x" }],
    ["another version", { ...good, version: 2 }],
    ["no messages", { ...good, messages: {} }],
    ["a message that is none", { ...good, messages: [7] }],
    ["an unknown role", { ...good, messages: [{ role: "root", content: "x" }] }],
    ["a result without a call", { ...good, messages: [{ role: "tool", content: "x" }] }],
    ["too many turns left out", { ...good, dropped: 2 }],
    ["fewer than none left out", { ...good, dropped: -1 }],
    ["more summarised than left out", { ...good, summarized: 1 }],
    ["a summary that is none", { ...good, summary: ["x"] }],
    ["a prototype", `{"__proto__": ${JSON.stringify(good)}}`],
    ["arrays in arrays", "[".repeat(200_000)],
    ["a reply of no tokens", reply({ tokens: "abc", end: "<|eot_id|>" })],
    ["a reply of tokens that there are not", reply({ tokens: [1 << 30], end: "<|eot_id|>" })],
    ["a reply with another end", reply({ tokens: [1], end: "<|start_header_id|>" })],
    ["a reply that is null", reply(null)],
  ])("that holds %s is refused, and the session is as it was", async (_, held) => {
    const file = newFile();
    const whole = typeof held === "object" && held !== null && "model" in held;
    const value = whole ? { ...held, model: model.fingerprint } : held;
    writeFileSync(
      file,
      typeof value === "string" || Buffer.isBuffer(value) ? value : JSON.stringify(value),
    );
    const messages = [{ role: "user", content: "before" }] as const;
    const session = new ChatSession(context, { messages });
    await expect(session.restore(file)).rejects.toMatchObject({
      code: "ERR_STATE_INVALID",
      message: expect.stringContaining(file),
    });
    expect(session.messages).toEqual(messages);
  });

  test.each([
    ["that is missing", () => join(folder, "missing")],
    ["that is a folder", () => folder],
  ])("%s is refused, too", async (_, file) => {
    await expect(new ChatSession(context).restore(file())).rejects.toMatchObject({
      code: "ERR_STATE_INVALID",
    });
  });

  test.each<[string, (session: ChatSession) => Promise<unknown>]>([
    ["save()", (session) => session.save(undefined as never)],
    ["save('')", (session) => session.save("")],
    ["restore with a NUL", (session) => session.restore("a\0b")],
    ["an unknown option", (session) => session.save("x", { cache: true } as never)],
    ["a state of no kind", (session) => session.restore("x", { state: 1 } as never)],
    ["a signal that is none", (session) => session.save("x", { signal: {} as never })],
  ])("%s is an invalid argument", async (_, use) => {
    await expect(use(new ChatSession(context))).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
    });
  });
});

describe("a session with bytes", () => {
  const seen = (bytes: number): ChatMessage[] => [
    {
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        { type: "image", image: new Uint8Array(bytes) },
      ],
    },
    { role: "assistant", content: "A llama." },
  ];

  test("of many pictures is restored as it was saved", async () => {
    const file = newFile();
    const session = new ChatSession(context, { messages: seen(50 * 2 ** 20) });
    await session.save(file, { state: false });
    const again = new ChatSession(context);
    await again.restore(file, { state: false });
    expect(again.messages).toHaveLength(2);
    rmSync(file);
  });

  test("that no session could read is not written", async () => {
    const file = newFile();
    const session = new ChatSession(context, { messages: seen(1) });
    const long = jest.spyOn(JSON, "stringify").mockImplementation(() => {
      throw new RangeError("Invalid string length"); // as beyond 512 MB
    });
    const saving = session.save(file, { state: false });
    await expect(saving.finally(() => long.mockRestore())).rejects.toMatchObject({
      code: "ERR_STATE_INVALID",
    });
    const { byteLength } = Buffer;
    const large = jest
      .spyOn(Buffer, "byteLength")
      .mockImplementation((...given) => byteLength(...given) + 384 * 2 ** 20);
    const second = session.save(file, { state: false });
    await expect(second.finally(() => large.mockRestore())).rejects.toMatchObject({
      code: "ERR_STATE_INVALID",
      message: expect.stringContaining("by their paths"),
    });
    expect(existsSync(file)).toBe(false);
  });
});
