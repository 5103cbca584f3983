import { MessageChannel } from "node:worker_threads";
import { connect } from "../../lib/electron/electron-client.js";
import { type ServedModels, serve } from "../../lib/electron/electron-server.js";
import { METHODS, WINDOW } from "../../lib/electron/port-protocol.js";
import { type Context, Model } from "../../lib/index.js";
import { deferred } from "../../lib/internal/deferred.js";
import { endTokens, forbidden } from "../support/demo.js";
import { MODEL } from "../support/paths.js";
import { connected, idle, RawClient, watched } from "../support/remote.js";

let local: Model;

beforeAll(async () => {
  local = await Model.load(MODEL);
});
afterAll(() => local.dispose());

const SMALL = { contextSize: 512, sequences: 4, threads: 1 };
const endless = () => ({ temperature: 0, logitBias: forbidden(endTokens(local)) });

/** A client by hand, with context 2 of model 1. */
async function raw(): Promise<{ client: RawClient; context: Context }> {
  const { model, contexts } = watched(local);
  const client = new RawClient({ demo: model });
  await client.call(1, "load", 0, "demo", {});
  await client.call(2, "createContext", 1, SMALL);
  return { client, context: contexts[0] as Context };
}

describe("which models", () => {
  test("lie on no worker that a client names", async () => {
    const { engine, served } = connected({ file: MODEL });
    for (const worker of ["rpc://127.0.0.1:1", "RPC://10.0.0.2"]) {
      await expect(engine.Model.load("file", { devices: ["CPU", worker] })).rejects.toMatchObject({
        code: "ERR_INVALID_ARGUMENT",
        message: expect.stringContaining("a client may name no workers"),
      });
    }
    engine.close();
    await served.closed;
  });

  test("make contexts that open no file which a client names", async () => {
    const { engine, served } = connected({ demo: local });
    const model = await engine.Model.load("demo");
    for (const path of [MODEL, "/nowhere/vector.gguf"]) {
      const controlVectors = [{ path }];
      await expect(model.createContext({ ...SMALL, controlVectors })).rejects.toMatchObject({
        code: "ERR_UNSUPPORTED",
        message: expect.stringContaining("cannot come from a client"),
        details: { name: "options.controlVectors" },
      });
    }
    engine.close();
    await served.closed;
  });

  test("are those that are named, and no path is looked at", async () => {
    const { engine, served } = connected({ demo: local });
    for (const path of [MODEL, "../demo", "constructor", "__proto__", "toString", ""]) {
      await expect(engine.Model.load(path)).rejects.toMatchObject({
        code: "ERR_MODEL_NOT_FOUND",
        message: expect.stringContaining("This server offers no model"),
        details: { name: path },
      });
    }
    await expect(engine.Model.load(5 as never)).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
    });
    engine.close();
    await served.closed;
  });

  test("may be references of the server's; a page has no say in what is fetched where", async () => {
    const { engine, served } = connected({ demo: MODEL, far: "hf:user/../repo" });
    const download = { directory: "/somewhere" };
    await expect(engine.Model.load("demo", { download })).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining("for the server's own process"),
    });
    // Read as a reference, and not looked for as a file.
    await expect(engine.Model.load("far")).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    engine.close();
    await served.closed;
  });

  test("is decided by a function, which may look at the options and refuse", async () => {
    const asked: unknown[] = [];
    const models: ServedModels = async (name, options) => {
      asked.push([name, options]);
      if (name === "secret") throw new RangeError("Not for you.");
      return name === "demo" ? MODEL : undefined;
    };
    const { engine, served } = connected(models);
    const model = await engine.Model.load("demo", { vocabOnly: true });
    expect(model.path).toBe("demo");
    const refused = engine.Model.load("secret");
    await expect(refused).rejects.toMatchObject({ name: "RangeError", message: "Not for you." });
    await expect(engine.Model.load("x")).rejects.toMatchObject({ code: "ERR_MODEL_NOT_FOUND" });
    expect(asked).toEqual([
      ["demo", { vocabOnly: true }],
      ["secret", {}],
      ["x", {}],
    ]);
    engine.close();
    await served.closed;
  });

  test("an error of the system's keeps its code", async () => {
    const missing = Object.assign(new Error("no such file"), { code: "ENOENT" });
    const { engine, served } = connected(async () => {
      throw missing;
    });
    const failure = engine.Model.load("x");
    await expect(failure).rejects.toMatchObject({ code: "ENOENT", message: "no such file" });
    engine.close();
    await served.closed;
  });

  test("an answer that is no model is the server's mistake, and told as one", async () => {
    const { engine, served } = connected((() => 5) as never);
    await expect(engine.Model.load("demo")).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    engine.close();
    await served.closed;
  });

  test("have to be given", () => {
    const { port1 } = new MessageChannel();
    for (const options of [undefined, {}, { models: 5 }, { models: { a: 5 } }, { model: {} }]) {
      expect(() => serve(port1, options as never)).toThrow(
        expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
      );
    }
    for (const port of [undefined, {}, { postMessage() {} }]) {
      const models = {};
      expect(() => serve(port as never, { models })).toThrow(/MessagePort/);
      expect(() => connect(port as never)).toThrow(/MessagePort/);
    }
    port1.close();
  });
});

describe("what is no message of the protocol ends the connection", () => {
  const call = { type: "call", id: 1, method: "load", target: 0, args: [] };
  test.each<[string, readonly unknown[], string]>([
    ["nothing", [null], "ERR_INVALID_ARGUMENT"],
    ["a text", ["call"], "ERR_INVALID_ARGUMENT"],
    ["an unknown type", [{ type: "eval", code: "1" }], "ERR_INVALID_ARGUMENT"],
    ["an inherited type", [{ type: "constructor" }], "ERR_INVALID_ARGUMENT"],
    ["an unknown method", [{ ...call, method: "exec" }], "ERR_INVALID_ARGUMENT"],
    ["an inherited method", [{ ...call, method: "toString" }], "ERR_INVALID_ARGUMENT"],
    ["arguments of another kind", [{ ...call, args: { length: 1 } }], "ERR_INVALID_ARGUMENT"],
    ["an id that is none", [{ ...call, id: 1.5 }], "ERR_INVALID_ARGUMENT"],
    ["an id that was there", [call, call], "ERR_INVALID_ARGUMENT"],
    ["a second greeting", [{ type: "hello", protocol: 1 }], "ERR_INVALID_ARGUMENT"],
    ["an ack of nothing", [{ type: "ack" }], "ERR_INVALID_ARGUMENT"],
    [
      "an error that is no text",
      [{ type: "executed", id: 1, key: 1, error: {} }],
      "ERR_INVALID_ARGUMENT",
    ],
    ["a map", [new Map([["type", "call"]])], "ERR_INVALID_ARGUMENT"],
  ])("%s", async (_, messages, code) => {
    const client = new RawClient({});
    client.post(...messages);
    await client.closed;
    await client.served.closed;
    expect(client.received.at(-1)).toMatchObject({ type: "goodbye", error: { code } });
  });

  test("another protocol, and no greeting at all", async () => {
    const other = new RawClient({}, { type: "hello", protocol: 99 });
    await other.closed;
    expect(other.received).toMatchObject([{ type: "goodbye", error: { code: "ERR_UNSUPPORTED" } }]);
    const rude = new RawClient({}, null);
    rude.post(call);
    await rude.closed;
    expect(rude.received).toMatchObject([
      { type: "goodbye", error: { code: "ERR_INVALID_ARGUMENT" } },
    ]);
  });
});

test("any arguments end in a coded error or a result, and the server lives on", async () => {
  const { client, context } = await raw();
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const values = [
    ...[undefined, null, 0, -1, Number.NaN, 1n, "", "x", true, [], {}, cyclic, shared],
    ...[new Map(), new Date(0), /x/, new Uint8Array(3), { __proto__: null, executes: true }],
    ...[{ signal: { aborted: true } }, { guard: {} }, { tools: [{ executes: 1 }] }, [[]]],
    ...[{ onProgress: {} }, { sampler: {} }, { grammar: {} }, { model: {} }, { tools: [5] }],
    JSON.parse('{"__proto__": {"temperature": 5}}'),
  ];
  const oracle: unknown[] = [];
  let id = 100;
  for (const method of METHODS) {
    if (method === "dispose") continue;
    for (const value of values) {
      for (const target of [1, 2]) {
        const bounded = method === "generate" || method === "send" ? [{ maxTokens: 1 }] : [];
        const end = await client.call(++id, method, target, value, ...bounded, value, value);
        if (end.type === "error" && end.error.code === "ERR_INTERNAL") oracle.push([method, value]);
        if (end.type === "error" && end.error.code === undefined) oracle.push([method, end]);
      }
    }
  }
  expect(oracle).toEqual([]);
  client.post(
    { type: "ack", id: 1e9 },
    { type: "cancel", id: 1e9 },
    { type: "release", id: 1e9 },
    { type: "executed", id: 1e9, key: 1 },
  );
  const end = await client.call(++id, "generate", 2, "A llama", { maxTokens: 2 });
  expect(end).toMatchObject({ type: "result", value: { stopReason: "max-tokens" } });
  client.port.close();
  await client.served.closed;
  expect(context.disposed).toBe(true);
});

test("arrays that claim a length and hold nothing are refused: nobody copies or walks them", async () => {
  const { client } = await raw();
  const endless = new Array(2 ** 32 - 1);
  const late = new Array(2 ** 32 - 1);
  late[2 ** 32 - 2] = { role: "user", content: "Hi" };
  await client.call(3, "openSession", 2, {});
  const calls: readonly [string, number, ...unknown[]][] = [
    ["load", 0, "demo", { devices: endless }],
    ["createContext", 1, { controlVectors: endless }],
    ["tokenize", 1, endless],
    ["generate", 2, endless, {}],
    ["generate", 2, "Once", { stop: endless }],
    ["generate", 2, "Once", { grammar: { schema: { enum: endless } } }],
    ["score", 2, endless, [1]],
    ["score", 2, "Once", endless],
    ["choose", 2, "Once", endless],
    ["embed", 2, endless],
    ["rank", 2, "Once", endless],
    ["openSession", 2, { messages: endless }],
    ["openSession", 2, { messages: late }],
    ["openSession", 2, { stop: endless }],
    ["openSession", 2, { builtinTools: endless }],
    ["openSession", 2, { tools: endless }],
    ["openSession", 2, { templateVariables: { a: [{ b: endless }] } }],
    ["send", 3, endless],
    ["send", 3, [{ role: "user", content: endless }]],
    ["send", 3, [{ role: "tool", content: { rows: endless } }]],
    ["moderate", 2, endless],
  ];
  for (const [index, [method, target, ...args]] of calls.entries()) {
    const end = await client.call(10 + index, method, target, ...args);
    expect([method, end]).toMatchObject([method, { error: { code: "ERR_INVALID_ARGUMENT" } }]);
  }
  client.port.close();
  await client.served.closed;
});

test("a tool's result of this kind fails its call alone", async () => {
  const { client } = await raw();
  const parameters = { type: "object", properties: { city: { type: "string" } } };
  const tool = { name: "get_weather", parameters, executes: true };
  const toolChoice = { type: "function", function: { name: "get_weather" } };
  const options = { tools: [tool], temperature: 0, toolChoice, maxToolRounds: 1 };
  await client.call(3, "openSession", 2, options);
  client.post({ type: "call", id: 4, method: "send", target: 3, args: ["What is the weather?"] });
  const { key } = (await client.when(({ type }) => type === "execute")) as { key?: number };
  client.post({ type: "executed", id: 4, key, result: { days: new Array(2 ** 32 - 1) } });
  const told = await client.when(
    (message) =>
      message.type === "news" && (message.news as { type?: string }).type === "tool-result",
  );
  expect(told).toMatchObject({ news: { error: expect.stringContaining("an array with holes") } });
  client.post({ type: "cancel", id: 4 });
  await client.end(4);
  client.port.close();
  await client.served.closed;
});

test("a guard that went missing on the way is refused, not left out", async () => {
  const { client } = await raw();
  for (const [i, name] of ["input", "output", "toolResults"].entries()) {
    const end = await client.call(10 + i, "openSession", 2, { guard: { [name]: undefined } });
    expect(end).toMatchObject({ error: { code: "ERR_INVALID_ARGUMENT" } });
  }
  client.port.close();
  await client.served.closed;
});

describe("too much", () => {
  test("of calls, contexts, models and sessions is refused", async () => {
    const { client, context } = await raw();
    for (let id = 10; id < 10 + 1100; id++) {
      client.post({
        type: "call",
        id,
        method: "generate",
        target: 2,
        args: ["Once", endless()],
      });
    }
    expect(await client.end(10 + 1099)).toMatchObject({ error: { code: "ERR_QUEUE_FULL" } });
    for (let id = 10; id < 10 + 1100; id++) client.post({ type: "cancel", id });
    await client.end(10 + 1023);
    const tiny = { contextSize: 16, threads: 1 };
    const made = await Promise.all(
      Array.from({ length: 40 }, (_, i) => client.call(5000 + i, "createContext", 1, tiny)),
    );
    expect(made.filter(({ type }) => type === "result")).toHaveLength(31); // and context 2
    expect(made.at(-1)).toMatchObject({ error: { code: "ERR_QUEUE_FULL" } });
    const loaded = await Promise.all(
      Array.from({ length: 10 }, (_, i) => client.call(6000 + i, "load", 0, "demo", {})),
    );
    expect(loaded.filter(({ type }) => type === "result")).toHaveLength(7);
    const sessions = await Promise.all(
      Array.from({ length: 1025 }, (_, i) => client.call(7000 + i, "openSession", 2, {})),
    );
    expect(sessions.filter(({ type }) => type === "result")).toHaveLength(1000 + 24);
    client.post({ type: "release", id: 7000 });
    expect(await client.call(9000, "openSession", 2, {})).toMatchObject({ type: "result" });
    client.port.close();
    await client.served.closed;
    expect(context.disposed).toBe(true);
  });

  test("of calls does not keep a context from being disposed", async () => {
    const { client, context } = await raw();
    for (let id = 10; id < 10 + 1024; id++) {
      client.post({ type: "call", id, method: "generate", target: 2, args: ["Once", endless()] });
    }
    expect(await client.call(2000, "stats", 2)).toMatchObject({
      error: { code: "ERR_QUEUE_FULL" },
    });
    expect(await client.call(2001, "dispose", 2)).toMatchObject({ type: "result" });
    expect(context.disposed).toBe(true);
    // The last, which surely waited: the first may have filled its context by now.
    expect(await client.end(10 + 1023)).toMatchObject({ error: { code: "ERR_DISPOSED" } });
    client.port.close();
    await client.served.closed;
  });

  test("for a reader that stands still is told all usage, and the end of progress", async () => {
    const { client, context } = await raw();
    client.acks = false;
    const texts = Array.from(
      { length: 60 },
      (_, index) => `${100 + index} llamas and ${199 - index} more`,
    );
    const news = (id: number) =>
      client.received.flatMap((message) =>
        message.type === "news" && message.id === id
          ? [(message.news as { progress: unknown[] }).progress]
          : [],
      );
    const usages: unknown[] = [];
    await context.choose("Once", texts, { onUsage: (usage) => usages.push([usage]) });
    expect(usages.length).toBeGreaterThan(WINDOW);
    await client.call(10, "choose", 2, "Once", texts, {}, true);
    const promptTokens = (all: unknown[]) =>
      (all as [{ promptTokens: number }][])
        .map(([usage]) => usage.promptTokens)
        .reduce((sum, tokens) => sum + tokens, 0);
    expect(news(10)).toHaveLength(usages.length);
    expect(promptTokens(news(10))).toBe(promptTokens(usages));
    client.port.close();
    await client.served.closed;
    const loading = new RawClient({ file: MODEL });
    loading.acks = false;
    await loading.call(1, "load", 0, "file", {}, true);
    const told = loading.received.flatMap((message) =>
      message.type === "news" ? [message.news] : [],
    );
    expect(told.at(-1)).toEqual({ progress: [1] });
    loading.port.close();
    await loading.served.closed;
  });

  test("for a reader that stands still: no more news than the window, and none is lost", async () => {
    const { client, context } = await raw();
    client.acks = false;
    client.post({
      type: "call",
      id: 3,
      method: "generate",
      target: 2,
      args: ["Once upon a time", { ...endless(), maxTokens: 200 }, true],
    });
    // The engine is through with it long before anybody has taken anything.
    await client.when((message) => message.type === "news");
    await idle(context);
    await client.call(4, "stats", 2);
    const news = () => client.received.filter(({ type }) => type === "news");
    expect(news().length).toBeLessThanOrEqual(WINDOW);
    expect(
      client.received.some(
        (message) => "id" in message && message.id === 3 && message.type === "result",
      ),
    ).toBe(false);
    for (let taken = 0; taken < 20; taken++) client.post({ type: "ack", id: 3 });
    const end = await client.end(3);
    expect(end).toMatchObject({ value: { usage: { completionTokens: 200 } } });
    const tokens = news().flatMap((message) =>
      "news" in message ? [...((message.news as { tokens?: Int32Array }).tokens ?? [])] : [],
    );
    const expected = await context.generateText("Once upon a time", {
      ...endless(),
      maxTokens: 200,
    });
    expect(tokens).toEqual([...expected.tokens]);
    client.port.close();
    await client.served.closed;
  });
});

describe("two clients", () => {
  test("share a model of the server's; one that goes takes only its own along", async () => {
    const { model, contexts } = watched(local);
    const [one, two] = [connected({ demo: model }), connected({ demo: model })];
    const [first, second] = await Promise.all(
      [one, two].map(async ({ engine }) => {
        const loaded = await engine.Model.load("demo");
        return loaded.createContext(SMALL);
      }),
    );
    const running = first!.generate("Once", endless());
    const going = second!.generate("Once", endless());
    await going[Symbol.asyncIterator]().next();
    one.engine.close();
    await expect(running.result()).rejects.toMatchObject({ code: "ERR_CONNECTION_CLOSED" });
    await one.served.closed;
    expect(contexts.map(({ disposed }) => disposed).sort()).toEqual([false, true]);
    going.cancel();
    expect((await going.result()).stopReason).toBe("cancelled");
    expect(local.disposed).toBe(false);
    two.engine.close();
    await two.served.closed;
  });

  test("do not reach each other's", async () => {
    const { client } = await raw();
    const other = new RawClient({ demo: local });
    const methods = ["generate", "createContext", "openSession", "stats", "send"];
    for (const [i, method] of methods.entries()) {
      const end = await other.call(i + 1, method, method === "createContext" ? 1 : 2, "x");
      expect(end).toMatchObject({ error: { code: "ERR_DISPOSED" } });
    }
    client.port.close();
    other.port.close();
    await Promise.all([client.served.closed, other.served.closed]);
  });
});

describe("the end of a connection", () => {
  test("a client that vanishes: what it had is cancelled and freed", async () => {
    const { client, context } = await raw();
    client.post({ type: "call", id: 3, method: "generate", target: 2, args: ["Once", endless()] });
    await client.when((message) => message.type === "news");
    client.port.close();
    await client.served.closed;
    expect(context.disposed).toBe(true);
  });

  test("a tool that the client was to carry out holds nothing up", async () => {
    const { client, context } = await raw();
    const parameters = { type: "object", properties: { city: { type: "string" } } };
    const tool = { name: "get_weather", parameters, executes: true };
    const toolChoice = { type: "function", function: { name: "get_weather" } };
    await client.call(3, "openSession", 2, { tools: [tool], temperature: 0, toolChoice });
    client.post({ type: "call", id: 4, method: "send", target: 3, args: ["What is the weather?"] });
    await client.when((message) => message.type === "execute");
    client.port.close();
    await client.served.closed;
    expect(context.disposed).toBe(true);
  });

  test("a cancel that comes behind the result gives up what was made", async () => {
    const { client } = await raw();
    await client.call(3, "createContext", 1, SMALL);
    client.post({ type: "cancel", id: 3 });
    expect(await client.call(4, "stats", 3)).toMatchObject({ error: { code: "ERR_DISPOSED" } });
    client.port.close();
    await client.served.closed;
  });

  test("what was being made is freed before it counts as closed", async () => {
    const made = deferred<void>();
    let disposed = false;
    const model = Object.create(local, {
      tokenizeAsync: { value: local.tokenizeAsync.bind(local) },
      createContext: {
        value: async () => {
          await made.promise;
          return {
            dispose: async () => {
              disposed = true;
            },
          };
        },
      },
    }) as Model;
    const client = new RawClient({ demo: model });
    await client.call(1, "load", 0, "demo", {});
    client.post({ type: "call", id: 2, method: "createContext", target: 1, args: [SMALL] });
    client.post({ type: "goodbye" });
    await client.closed;
    made.resolve();
    await client.served.closed;
    expect(disposed).toBe(true);
  });

  test("the server ends it: everything pending is told, and what comes later, too", async () => {
    const { engine, served } = connected({ demo: local });
    const model = await engine.Model.load("demo");
    const context = await model.createContext(SMALL);
    const generation = context.generate("Once", endless());
    const reading = (async () => {
      for await (const _ of generation);
    })().catch((error: unknown) => error);
    const making = model.createContext(SMALL).catch((error: unknown) => error);
    await served.close();
    const closed = { code: "ERR_CONNECTION_CLOSED" };
    await expect(generation.result()).rejects.toMatchObject(closed);
    expect(await reading).toMatchObject(closed);
    expect(await engine.closed).toMatchObject(closed);
    await making; // made and lost, or refused: it does not hang
    await expect(engine.Model.load("demo")).rejects.toMatchObject(closed);
    await expect(context.generateText("Once")).rejects.toMatchObject(closed);
    await expect(model.tokenizeAsync("x")).rejects.toMatchObject(closed);
    await Promise.all([context.dispose(), model.dispose()]);
    engine.close();
    await served.close();
  });

  test("`await using` ends it on both sides", async () => {
    const { engine, served } = connected({ demo: local });
    await engine[Symbol.asyncDispose]();
    await served[Symbol.asyncDispose]();
    expect((await engine.closed).code).toBe("ERR_CONNECTION_CLOSED");
  });
});

describe("ports of other kinds", () => {
  /** As Electron's: an emitter, whose events have the message in `data`. */
  function electronPorts() {
    const { port1, port2 } = new MessageChannel();
    return [port1, port2].map((port) => ({
      postMessage: (message: unknown) => port.postMessage(message),
      on(type: string, listener: (event: unknown) => void) {
        if (type === "message") port.on(type, (data: unknown) => listener({ data, ports: [] }));
        else port.on(type as "close", () => listener(undefined));
      },
      start: () => port.start(),
      close: () => port.close(),
    }));
  }

  /** As `utilityProcess` and child processes: the message itself, and no start. */
  function bareEmitters() {
    const { port1, port2 } = new MessageChannel();
    return [port1, port2].map((port) => ({
      postMessage: (message: unknown) => port.postMessage(message),
      on: (type: string, listener: (event: unknown) => void) =>
        port.on(type as "message", listener),
      close: () => port.close(),
    }));
  }

  test.each([
    ["Electron's", electronPorts],
    ["bare emitters", bareEmitters],
  ])("%s", async (_, make) => {
    const [there, here] = make();
    const served = serve(there!, { models: { demo: local } });
    const engine = connect(here!);
    const model = await engine.Model.load("demo");
    const context = await model.createContext(SMALL);
    const { text } = await context.generateText("Once", { maxTokens: 3 });
    expect(text).not.toBe("");
    engine.close();
    await served.closed;
  });

  test("one that cannot send any more is a connection that is over", async () => {
    const { port1, port2 } = new MessageChannel();
    let broken = false;
    const port = {
      postMessage(message: unknown) {
        if (broken) throw new Error("closed");
        port1.postMessage(message);
      },
      addEventListener: port1.addEventListener.bind(port1),
      start: () => port1.start(),
      close: () => port1.close(),
    };
    const served = serve(port as never, { models: { demo: local } });
    const engine = connect(port2);
    await engine.Model.load("demo");
    broken = true;
    await expect(engine.Model.load("demo")).rejects.toMatchObject({
      code: "ERR_CONNECTION_CLOSED",
    });
    await served.closed;
  });
});
