import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { type Context, CriaError, Model } from "../../lib/index.js";
import { type CriaServer, createServer } from "../../lib/server/create-server.js";
import type { AnsweredRequest, ServerOptions } from "../../lib/server/server-options.js";
import { MODEL } from "../support/paths.js";
import { idle } from "../support/remote.js";
import {
  ENDLESS,
  errorShape,
  eventsOf,
  rawPost,
  type ServedHttp,
  served,
} from "../support/served.js";

let model: Model;
let context: Context;
const open: ServedHttp[] = [];
beforeAll(async () => {
  model = await Model.load(MODEL);
  context = await model.createContext({ contextSize: 4096, sequences: 2 });
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});
afterAll(() => model.dispose());

async function serve(options: Partial<ServerOptions> = {}): Promise<ServedHttp> {
  const one = await served({ models: { demo: context }, ...options });
  open.push(one);
  return one;
}

const HELLO = { messages: [{ role: "user", content: "Hello" }], max_tokens: 2 } as const;
const CHAT = "/v1/chat/completions";
const endless = JSON.stringify(ENDLESS);

/** Until so many generations are in the batch. */
async function running(count: number): Promise<void> {
  while (context.stats.activeGenerations !== count) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a client that goes", () => {
  test.each([true, false])("frees its slot, streaming %s", async (stream) => {
    const here = await serve();
    const requests: AnsweredRequest[] = [];
    const told = await serve({ onRequest: (request) => requests.push(request) });
    const { sent } = rawPost(told.url, CHAT, JSON.stringify({ ...ENDLESS, stream }));
    await running(1);
    sent.destroy();
    await idle(context);
    expect((await here.post(CHAT, HELLO)).status).toBe(200);
    expect(requests).toMatchObject([{ status: 499, path: CHAT, model: "demo" }]);
  });

  test("takes along what it has sent ahead on the same connection", async () => {
    const requests: AnsweredRequest[] = [];
    const here = await serve({ onRequest: (request) => requests.push(request) });
    const socket = connect(Number(new URL(here.url).port), "127.0.0.1");
    const head = `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${endless.length}\r\n\r\n`;
    socket.write((head + endless).repeat(2));
    await running(2);
    socket.destroy();
    await idle(context);
    while (requests.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(requests.map(({ status }) => status)).toEqual([499, 499]);
  });

  test("in the queue is not generated for", async () => {
    const here = await serve();
    const sent = [1, 2, 3].map(() => rawPost(here.url, CHAT, endless).sent);
    while (context.stats.queuedGenerations !== 1) await running(2);
    for (const one of sent.reverse()) one.destroy();
    await idle(context);
    const { decodedTokens } = context.stats;
    await new Promise((resolve) => setImmediate(resolve));
    expect(context.stats.decodedTokens).toBe(decodedTokens);
  });
});

test("a reader that stands still does not hold up others, and gets all in the end", async () => {
  const here = await serve();
  const slow = rawPost(here.url, CHAT, JSON.stringify({ ...ENDLESS, max_tokens: 600 }));
  const answer = await slow.answer;
  answer.pause();
  expect((await here.post(CHAT, HELLO)).status).toBe(200);
  await idle(context); // the engine waits for nobody
  const events = eventsOf(await text(answer));
  expect(events.at(-1)).toEqual({ data: "[DONE]" });
  const said = events.map(({ data }) => {
    const { choices } = data as { choices?: [{ delta: { content?: string } }] };
    return choices?.[0]?.delta.content ?? "";
  });
  expect(said.join("").length).toBeGreaterThan(500);
});

test("a full queue is 429, with when to come again", async () => {
  const here = await serve({ queue: 1 });
  const sent = [1, 2, 3].map(() => rawPost(here.url, CHAT, endless).sent);
  while (context.stats.queuedGenerations !== 1) await running(2);
  const refused = await here.post(CHAT, HELLO);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(await refused.json()).toEqual(
    errorShape({ type: "rate_limit_error", code: "rate_limit_exceeded" }),
  );
  const metrics = await (await here.get("/metrics")).text();
  expect(metrics).toContain('cria_generations_running{model="demo"} 2\n');
  expect(metrics).toContain('cria_generations_waiting{model="demo"} 1\n');
  expect(metrics).toContain('cria_requests_total{route="/v1/chat/completions",status="429"} 1\n');
  for (const one of sent) one.destroy();
  await idle(context);
  expect((await here.post(CHAT, HELLO)).status).toBe(200);
  const many = await here.post(CHAT, { ...HELLO, n: 4 });
  expect(many.status).toBe(400);
  expect(await many.json()).toEqual(
    errorShape({ type: "invalid_request_error", code: "too_many_generations" }),
  );
});

describe("API keys", () => {
  test("one of them has to come, in either header", async () => {
    const here = await serve({ apiKeys: ["first-key", "second-key"] });
    for (const headers of [
      { authorization: "Bearer first-key" },
      { authorization: "bearer second-key" },
      { "x-api-key": "second-key" },
    ]) {
      expect((await here.get("/v1/models", headers)).status).toBe(200);
    }
    for (const headers of [
      {},
      { authorization: "Bearer " },
      { authorization: "Bearer first-key2" },
      { authorization: "Basic first-key" },
      { "x-api-key": "" },
    ]) {
      const refused = await here.get("/v1/models", headers as Record<string, string>);
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toBe("Bearer");
      expect(await refused.json()).toEqual(
        errorShape({ type: "authentication_error", code: "invalid_api_key" }),
      );
    }
    expect((await here.get("/health")).status).toBe(200);
    expect((await here.get("/v1/nothing")).status).toBe(401);
  });
});

describe("pages", () => {
  test("of other origins may not even ask", async () => {
    const here = await serve();
    for (const origin of ["https://example.org", "null", `${here.url}1`, "http://demo:1", "x"]) {
      const refused = await here.post(CHAT, HELLO, { origin });
      expect({ origin, status: refused.status }).toEqual({ origin, status: 403 });
      expect(refused.headers.get("access-control-allow-origin")).toBeNull();
      expect(await refused.json()).toEqual(
        errorShape({ type: "permission_error", code: "origin_not_allowed" }),
      );
    }
    expect((await here.post(CHAT, HELLO, { origin: here.url })).status).toBe(200);
  });

  test("of allowed origins may", async () => {
    const origin = "https://example.org";
    const here = await serve({ cors: [origin] });
    const answer = await here.post(CHAT, HELLO, { origin });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    expect(answer.headers.get("vary")).toBe("origin");
    expect((await here.post(CHAT, HELLO, { origin: `${origin}.net` })).status).toBe(403);
    const preflight = await fetch(`${here.url}${CHAT}`, {
      method: "OPTIONS",
      headers: { origin, "access-control-request-headers": "authorization" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toBe("authorization");
    const all = await serve({ cors: true });
    const any = await all.post(CHAT, HELLO, { origin: "null" });
    expect([any.status, any.headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
  });

  test("whose name was pointed here are not of this server's origin", async () => {
    const here = await serve();
    const { host } = new URL(here.url);
    const port = host.split(":")[1];
    const socket = connect(Number(port), "127.0.0.1");
    const body = JSON.stringify(HELLO);
    socket.end(
      `POST ${CHAT} HTTP/1.1\r\nhost: evil.example:${port}\r\norigin: http://evil.example:${port}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n` +
        `connection: close\r\n\r\n${body}`,
    );
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 403 /);
  });

  test.each([
    ["evil.example", {}, 403],
    ["127.0.0.1.evil.example", {}, 403],
    ["localhost.", {}, 403],
    ["localhost", {}, 200],
    ["app.localhost", {}, 200],
    ["[::1]", {}, 200],
    ["no name", {}, 403],
    ["llama.internal", { cors: ["https://llama.internal"] }, 200],
    ["llama.internal", { cors: true as const }, 200],
    ["llama.internal", { cors: ["https://other.internal"] }, 403],
    // Who has the key is no page of a stranger's.
    ["llama.internal", { apiKeys: ["a-key-of-some-length"] }, 200],
  ])(
    "of the name %s with %j, which browsers do not tell, get %i",
    async (name, options, status) => {
      const here = await serve(options);
      const port = new URL(here.url).port;
      const socket = connect(Number(port), "127.0.0.1");
      socket.end(
        `GET /v1/models HTTP/1.1\r\nhost: ${name}:${port}\r\nconnection: close\r\n` +
          "authorization: Bearer a-key-of-some-length\r\n\r\n",
      );
      const answer = await text(socket);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(answer.includes("host_not_allowed")).toBe(status === 403);
    },
  );
});

describe("bodies", () => {
  test.each(["told before", "found on the way"])("too large, %s", async (how) => {
    const here = await serve({ maxBody: 1000 });
    const big = JSON.stringify({ ...HELLO, user: "x".repeat(1000) });
    const body = how === "told before" ? big : new Blob([big]).stream();
    const refused = await fetch(`${here.url}${CHAT}`, {
      ...{ method: "POST", body, duplex: "half" },
      headers: { "content-type": "application/json" },
    } as RequestInit);
    expect(refused.status).toBe(413);
    expect(await refused.json()).toEqual(
      errorShape({ type: "invalid_request_error", code: "body_too_large" }),
    );
    expect((await here.post(CHAT, HELLO)).status).toBe(200);
  });

  test.each([
    ["", 400],
    ["{", 400],
    ["[]", 400],
    ["null", 400],
    [`{"messages": ${"[".repeat(300)}${"]".repeat(300)}}`, 400],
    [`{"messages": ${"[".repeat(1e6)}${"]".repeat(1e6)}}`, 400],
    ['{"messages": [], "__proto__": {"x": 1}}', 400],
  ])("%.20s is refused", async (body, status) => {
    const here = await serve();
    const refused = await here.post(CHAT, body);
    expect(refused.status).toBe(status);
    const { error } = (await refused.json()) as { error: object };
    expect(error).toMatchObject({ type: "invalid_request_error", message: expect.any(String) });
  });

  test("not UTF-8, or packed", async () => {
    const here = await serve();
    const post = (body: Uint8Array, headers: Record<string, string>) =>
      fetch(`${here.url}${CHAT}`, { method: "POST", body, headers });
    expect((await post(Uint8Array.of(0x22, 0xff, 0x22), {})).status).toBe(400);
    expect((await post(Uint8Array.of(1), { "content-encoding": "gzip" })).status).toBe(415);
  });

  test("that never come end with the timeout", async () => {
    const here = await serve({ timeout: 200 });
    const socket = connect(Number(new URL(here.url).port), "127.0.0.1");
    socket.write(`POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 504 /);
  });
});

test("an upload has as long as an answer", () => {
  const models = { m: MODEL };
  expect(createServer({ models, timeout: 3_600_000 }).requestTimeout).toBe(3_600_000);
  expect(createServer({ models }).requestTimeout).toBe(600_000);
});

test("what is no HTTP is answered in OpenAI's shape, too", async () => {
  const here = await serve();
  const socket = connect(Number(new URL(here.url).port), "127.0.0.1");
  socket.write("NONSENSE\r\n\r\n");
  const [head, body = ""] = (await text(socket)).split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(JSON.parse(body)).toEqual(errorShape({ code: "malformed_request" }));
});

test("what is no HTTP ends the connection where an answer has begun on it", async () => {
  const here = await serve();
  const socket = connect(Number(new URL(here.url).port), "127.0.0.1");
  socket.write(
    `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${endless.length}\r\n\r\n${endless}`,
  );
  const [first] = (await once(socket, "data")) as [Buffer];
  let said = first.toString();
  socket.on("data", (piece: Buffer) => {
    said += piece;
  });
  socket.on("error", () => {}); // the other end is gone
  socket.write("this is no HTTP\r\n\r\n");
  await once(socket, "close");
  expect(said).toMatch(/^HTTP\/1\.1 200/);
  expect(said).not.toContain("400 Bad Request");
  await idle(context);
});

test("an expectation that HTTP does not know is refused in OpenAI's shape, too", async () => {
  const here = await serve();
  const socket = connect(Number(new URL(here.url).port), "127.0.0.1");
  socket.write(
    `POST ${CHAT} HTTP/1.1\r\nhost: localhost\r\nexpect: more\r\ncontent-length: 2\r\n\r\n{}`,
  );
  const [head, body = ""] = (await text(socket)).split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 417 /);
  expect(JSON.parse(body)).toEqual(
    errorShape({ type: "invalid_request_error", code: "unknown_expectation" }),
  );
});

test("a model that cannot be loaded is told of without the place of its file", async () => {
  const errors: unknown[] = [];
  const here = await served({
    models: { lost: "/nowhere/secret/lost.gguf" },
    onRequest: ({ error }) => errors.push(error),
  });
  const failed = await here.post(CHAT, HELLO);
  expect(failed.status).toBe(500);
  const body = await failed.text();
  expect(JSON.parse(body)).toEqual(
    errorShape({ type: "server_error", code: "ERR_MODEL_NOT_FOUND" }),
  );
  expect(body).not.toContain("secret");
  expect(String(errors[0])).toContain("secret");
  await here.close();
});

test("a model that cannot be fetched is told of without the place that it is at", async () => {
  const offline = process.env.HF_HUB_OFFLINE;
  process.env.HF_HUB_OFFLINE = "1";
  const errors: unknown[] = [];
  const here = await serve({
    models: { far: "hf:secret/repo:Q4_K_M" },
    onRequest: ({ error }) => errors.push(error),
  });
  const failed = await here.post(CHAT, HELLO);
  expect(failed.status).toBe(503);
  const body = await failed.text();
  expect(JSON.parse(body)).toEqual(
    errorShape({ type: "server_error", code: "ERR_DOWNLOAD_FAILED" }),
  );
  expect(body).not.toContain("secret");
  expect(String(errors[0])).toContain("secret");
  if (offline === undefined) delete process.env.HF_HUB_OFFLINE;
  else process.env.HF_HUB_OFFLINE = offline;
});

test("an answer that takes too long ends with an error, which a stream tells as an event", async () => {
  const here = await serve({ timeout: 100, keepAlive: 1 });
  const whole = await here.post(CHAT, { ...ENDLESS, stream: false, n: 2 });
  expect(whole.status).toBe(504);
  expect(await whole.json()).toEqual(errorShape({ type: "timeout_error", code: "timeout" }));
  const events = eventsOf(await (await here.post(CHAT, ENDLESS)).text());
  expect(events.at(-1)?.data).toEqual(errorShape({ type: "timeout_error", code: "timeout" }));
  await idle(context);
});

/** An answer that is more than the system's buffers take, of which only the head is read. */
async function unread(url: string) {
  const messages = [{ role: "user", content: "x".repeat(2.5e7) }];
  const { sent, answer } = rawPost(url, "/apply-template", JSON.stringify({ messages }));
  expect((await answer).statusCode).toBe(200);
  return { sent, answer: await answer };
}

test("a client that never reads its answer is let go of with the timeout", async () => {
  const here = await served({ models: { demo: context }, timeout: 2000, maxBody: 2 ** 26 });
  const slow = await unread(here.url);
  const connections = () =>
    new Promise<number>((resolve) => here.server.getConnections((_, count) => resolve(count)));
  while ((await connections()) > 0) await new Promise((resolve) => setImmediate(resolve));
  slow.sent.destroy();
  await here.close();
});

test("a quiet stream has comments, which clients do not see", async () => {
  const here = await serve({ keepAlive: 5 });
  const holders = [1, 2].map(() => rawPost(here.url, CHAT, endless).sent);
  await running(2);
  const waiting = rawPost(here.url, CHAT, JSON.stringify({ ...HELLO, stream: true }));
  const answer = await waiting.answer;
  const [first] = (await once(answer, "data")) as [Buffer];
  expect(first.toString()).toBe(": keep-alive\n\n");
  for (const one of holders) one.destroy();
  expect(eventsOf(await text(answer)).at(-1)).toEqual({ data: "[DONE]" });
});

describe("the end", () => {
  test("waits for the answers that are under way, and takes no more", async () => {
    const here = await serve();
    const ask = { ...ENDLESS, max_tokens: 300 };
    const [first, second] = [1, 2].map(() => here.post(CHAT, ask));
    await running(2);
    const closed = new Promise<string>((resolve) => here.server.close(() => resolve("closed")));
    const texts = await Promise.all([first, second].map(async (one) => (await one)?.text()));
    for (const one of texts) expect(eventsOf(one ?? "").at(-1)).toEqual({ data: "[DONE]" });
    expect(await closed).toBe("closed");
    await expect(here.get("/health")).rejects.toThrow();
    expect(context.disposed).toBe(false); // it is the test's
    expect(model.disposed).toBe(false);
  });

  test("waits for an answer that is written, and not yet read", async () => {
    const here = await served({ models: { demo: context }, maxBody: 2 ** 26 });
    const slow = await unread(here.url);
    const closed = new Promise<string>((resolve) => here.server.close(() => resolve("closed")));
    expect(JSON.parse(await text(slow.answer)).prompt.length).toBeGreaterThan(2.5e7);
    expect(await closed).toBe("closed");
  });

  test("does not wait for a model that is still being fetched", async () => {
    const silent = createHttpServer(() => {}).listen(0, "127.0.0.1"); // answers nobody
    await once(silent, "listening");
    const far = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/far.gguf`;
    const here = await served({ models: { far, next: far } });
    const prepared = (here.server as CriaServer).prepare().catch((error: unknown) => error);
    const { sent } = rawPost(here.url, CHAT, JSON.stringify(HELLO));
    await once(silent, "request");
    sent.destroy();
    await here.close();
    expect(await prepared).toMatchObject({ code: "ERR_DISPOSED" });
    await expect((here.server as CriaServer).prepare()).rejects.toMatchObject({
      code: "ERR_DISPOSED",
    });
    silent.closeAllConnections();
    silent.close();
  });

  test("gives back what the server has loaded", async () => {
    const here = await served({
      models: { file: { model: MODEL, context: { contextSize: 256 } }, given: model },
    });
    for (const name of ["file", "given"]) {
      expect((await here.post(CHAT, { ...HELLO, model: name })).status).toBe(200);
    }
    expect(await (await here.get("/metrics")).text()).toContain(
      'cria_model_loaded{model="file"} 1',
    );
    await here.close();
    expect(model.disposed).toBe(false);
  });
});

test("a model that nobody asks is unloaded, and loaded again for the next one", async () => {
  const here = await served({
    models: { demo: { model: MODEL, context: { contextSize: 256 } } },
    idle: 20,
  });
  open.push(here);
  const loaded = async () =>
    /cria_model_loaded\{model="demo"\} (\d)/.exec(await (await here.get("/metrics")).text())?.[1];
  expect(await loaded()).toBe("0");
  const answers = await Promise.all([1, 2, 3].map(() => here.post(CHAT, HELLO)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  while ((await loaded()) !== "0");
  expect((await here.post(CHAT, HELLO)).status).toBe(200);
});

test("a model that cannot be loaded is an error of each request", async () => {
  const here = await serve({ models: { gone: "/nowhere/model.gguf", demo: context } });
  for (const _ of [1, 2]) {
    const refused = await here.post(CHAT, HELLO);
    expect(refused.status).toBe(500);
    expect(await refused.json()).toEqual(
      errorShape({ type: "server_error", code: "ERR_MODEL_NOT_FOUND" }),
    );
  }
  expect((await here.post(CHAT, { ...HELLO, model: "demo" })).status).toBe(200);
});

test("what is wrong with the server's own settings is no fault of a request's", async () => {
  const requests: AnsweredRequest[] = [];
  const models = { demo: { model: MODEL, context: { contextSize: -5 } } };
  const here = await serve({ models, onRequest: (request) => requests.push(request) });
  const refused = await here.post(CHAT, HELLO);
  expect(refused.status).toBe(500);
  expect(await refused.json()).toEqual(errorShape({ type: "server_error", code: "ERR_INTERNAL" }));
  expect(requests[0]?.error).toMatchObject({ message: expect.stringContaining("contextSize") });
  await expect((here.server as CriaServer).prepare()).rejects.toMatchObject({
    code: "ERR_INVALID_ARGUMENT",
  });
});

const logDown = () => {
  throw new Error("the log is down");
};
test.each([
  ["at once", logDown],
  ["later", async () => logDown()],
])("what `onRequest` throws %s is lost", async (_, onRequest) => {
  const lost: unknown[] = [];
  const lose = (error: unknown) => lost.push(error);
  process.on("unhandledRejection", lose);
  const here = await serve({ onRequest });
  expect((await here.get("/health")).status).toBe(200);
  for (const _ of [1, 2]) await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", lose);
  expect(lost).toEqual([]);
});

describe("a context in which the engine failed", () => {
  const breaks = (one: Context) => Object.defineProperty(one, "broken", { value: true });

  test("is replaced with the next request", async () => {
    const made: Context[] = [];
    const create = model.createContext.bind(model);
    const creating = jest.spyOn(model, "createContext").mockImplementation(async (options) => {
      made.push(await create(options));
      return made.at(-1) as Context;
    });
    const here = await serve({ models: { demo: { model, context: { contextSize: 256 } } } });
    expect((await here.post(CHAT, HELLO)).status).toBe(200);
    expect(made.map(({ broken }) => broken)).toEqual([false]);
    breaks(made[0] as Context);
    const answers = await Promise.all([1, 2].map(() => here.post(CHAT, HELLO)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(made.map(({ disposed }) => disposed)).toEqual([true, false]);
    creating.mockRestore();
  });

  test("stays where it is the caller's, and the server says that it is not well", async () => {
    const own = await model.createContext({ contextSize: 256 });
    const here = await serve({ models: { demo: own } });
    expect((await here.get("/health")).status).toBe(200);
    breaks(own);
    const told = await here.get("/health");
    expect(told.status).toBe(503);
    expect(await told.json()).toEqual(errorShape({ type: "server_error", code: "context_broken" }));
    expect(own.disposed).toBe(false);
    await own.dispose();
    expect((await here.get("/health")).status).toBe(503);
  });
});

test("a context does what it was made for", async () => {
  const here = await serve();
  const refused = await here.post("/v1/embeddings", { input: "x" });
  expect(refused.status).toBe(400);
  expect(await refused.json()).toEqual(
    errorShape({ type: "invalid_request_error", code: "ERR_UNSUPPORTED" }),
  );
});

test.each<[string, unknown]>([
  ["options.models", {}],
  ["options.models", { models: {} }],
  ['options.models["a"]', { models: { a: 3 } }],
  ['options.models["a"].model', { models: { a: {} } }],
  [
    'options.models["a"].context.sequences',
    { models: { a: { model: "x", context: { sequences: "4" } } } },
  ],
  [
    'options.models["a"].context.sequences',
    { models: { a: { model: "x", context: { sequences: 257 } } } },
  ],
  [
    'options.gpuLayers (or "auto", "all")',
    { models: { a: { model: "x", load: { gpuLayers: -5 } } } },
  ],
  ["options.queue", { models: { a: "x" }, queue: -1 }],
  ["options.apiKeys[0]", { models: { a: "x" }, apiKeys: [""] }],
  ["options.cors[0]", { models: { a: "x" }, cors: ["example.org"] }],
  ["options.timeout", { models: { a: "x" }, timeout: 0 }],
])("%s is checked at once", (name, options) => {
  const make = () => createServer(options as ServerOptions);
  expect(make).toThrow(CriaError);
  expect(make).toThrow(`\`${name}\``);
});
