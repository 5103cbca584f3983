import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cria, DEMO_MODEL, start } from "../support/cli.js";
import { ENDLESS, eventsOf } from "../support/served.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-serve-"));
});
afterAll(() => rm(folder, { recursive: true }));

const HELLO = { messages: [{ role: "user", content: "Hello" }], max_tokens: 2 };
const small = ["--port", "0", "--context-size", "4096"];

/** A running `cria serve`: where it listens, and what it tells. */
async function serving(...args: string[]) {
  const child = start(["serve", ...args, ...small]);
  const told: string[] = [];
  const ended = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  child.stdout.resume();
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stderr).on("line", (line) => {
      told.push(line);
      const [, found] = /^listening on (\S+) /.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => reject(new Error(told.join("\n"))));
  });
  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  return { child, told, ended, url, post };
}

test.each(["SIGINT", "SIGTERM"] as const)(
  "answers until %s, and ends what runs",
  async (signal) => {
    const { child, told, ended, url, post } = await serving(DEMO_MODEL);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const answer = await post("/v1/chat/completions", HELLO);
    expect(await answer.json()).toMatchObject({ model: "cria-demo" });
    const running = await post("/v1/chat/completions", { ...ENDLESS, max_tokens: 200 });
    child.kill(signal);
    expect(eventsOf(await running.text()).at(-1)).toEqual({ data: "[DONE]" });
    expect(await ended).toEqual([0, null]);
    expect(told.slice(1)).toEqual([
      expect.stringMatching(/^200 POST \/v1\/chat\/completions cria-demo \d+ ms$/),
      "finishing what runs (Ctrl-C again stops at once)",
      expect.stringMatching(/^200 POST \/v1\/chat\/completions cria-demo \d+ ms$/),
    ]);
  },
);

test("a second Ctrl-C stops at once", async () => {
  const { child, ended, told, post } = await serving(DEMO_MODEL);
  const running = await post("/v1/chat/completions", ENDLESS);
  const reading = running.text().catch(() => "cut off");
  child.kill("SIGINT");
  while (!told.some((line) => line.startsWith("finishing"))) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  child.kill("SIGINT");
  expect(await reading).toBe("cut off");
  expect(await ended).toEqual([0, null]);
});

test("what a client sends moves no cursor, and makes no lines of its own", async () => {
  const { child, told, ended, url, post } = await serving(DEMO_MODEL);
  await (await post("/v1/chat/completions", { "\u001b[2J\u009b2J\n200 GET /forged": 1 })).text();
  await (await fetch(`${url}/v1/completions`, { method: "POST", body: "\u001b[2J" })).text();
  child.kill("SIGTERM");
  await ended;
  expect(told.slice(1, 3)).toEqual([
    expect.stringMatching(/^400 POST \/v1\/chat\/completions .*\\u001b\[2J\\u009b2J\\n200 GET/),
    expect.stringMatching(/^400 POST \/v1\/completions .*\\u001b/),
  ]);
  expect(told).not.toContainEqual(expect.stringMatching(/^200 GET \/forged/));
});

test("several models by their names, with keys of a file", async () => {
  const keys = join(folder, "keys.txt");
  await writeFile(keys, "# ours\r\nfirst\r\n\r\n second \n");
  const models = [`chat=${DEMO_MODEL}`, DEMO_MODEL];
  const { child, ended, url, post } = await serving(...models, "--api-key-file", keys);
  const headers = { authorization: "Bearer second" };
  const list = await (await fetch(`${url}/v1/models`, { headers })).json();
  expect(list).toMatchObject({ data: [{ id: "chat" }, { id: "cria-demo" }] });
  const named = await post("/v1/chat/completions", { ...HELLO, model: "chat" }, headers);
  expect(named.status).toBe(200);
  expect((await post("/v1/chat/completions", HELLO)).status).toBe(401);
  child.kill("SIGTERM");
  await ended;
});

test.each([
  [[], "missing required argument 'model'"],
  [["a/x.gguf", "b/x.gguf"], "Two models are called x"],
  [["x.gguf", "--port", "65536"], "from 0 to 65535"],
  [["x.gguf", "--cors", "example.org"], "an origin such as"],
])("%j is wrong usage", async (args, message) => {
  const { code, stderr } = await cria(["serve", ...args]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test("what fails at the start is told", async () => {
  const gone = await cria(["serve", join(folder, "gone.gguf")]);
  expect(gone).toMatchObject({ code: 1, stdout: "" });
  expect(gone.stderr).toContain("[ERR_MODEL_NOT_FOUND]");
  const empty = join(folder, "empty.txt");
  await writeFile(empty, "# none\n");
  const keyless = await cria(["serve", DEMO_MODEL, "--api-key-file", empty]);
  expect(keyless).toMatchObject({ code: 2, stdout: "" });
  expect(keyless.stderr).toContain("holds no key");
  const { child, ended, url } = await serving(DEMO_MODEL);
  const taken = await cria(["serve", DEMO_MODEL, "--port", new URL(url).port]);
  expect(taken.code).toBe(1);
  expect(taken.stderr).toContain("EADDRINUSE");
  child.kill("SIGTERM");
  await ended;
});

test("where it listens is told as JSON, also with --quiet; its files are gone with it", async () => {
  const own = join(folder, "temporary");
  await mkdir(own);
  const where = { TMPDIR: own, TEMP: own, TMP: own };
  const child = start(["serve", DEMO_MODEL, ...small, "--quiet", "--json"], where);
  const ended = once(child, "close");
  let stderr = "";
  child.stderr.on("data", (piece) => {
    stderr += piece;
  });
  let stdout = "";
  const told = await new Promise<{ url: string }>((resolve) => {
    child.stdout.on("data", (piece) => {
      stdout += piece;
      if (stdout.endsWith("}\n")) resolve(JSON.parse(stdout));
    });
  });
  expect(told).toEqual({
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    models: ["cria-demo"],
  });
  // The model was loaded, and its context made, before.
  const metrics = await (await fetch(`${told.url}/metrics`)).text();
  expect(metrics).toContain('cria_kv_cache_tokens{model="cria-demo",context="generation"} 0');
  expect(await (await fetch(`${told.url}/v1/files`)).json()).toMatchObject({ data: [] });
  expect(await readdir(own)).toEqual([expect.stringMatching(/^cria-files-/)]);
  child.kill("SIGTERM");
  expect(await ended).toEqual([0, null]);
  expect(stderr).toBe("");
  expect(await readdir(own)).toEqual([]);
});

test("a context that cannot be made, and a folder that cannot be had, are told before it listens", async () => {
  const notFolder = join(folder, "file");
  await writeFile(notFolder, "");
  const refused = await cria(["serve", DEMO_MODEL, ...small, "--files", notFolder]);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain("EEXIST");
  const huge = ["--port", "0", "--context-size", "2000000000"];
  const full = await cria(["serve", DEMO_MODEL, ...huge]);
  expect(full).toMatchObject({ code: 2, stdout: "" }); // it is the flag that is to blame
  expect(full.stderr).toMatch(/\[ERR_\w+\]/);
  expect(full.stderr).not.toContain("listening");
});

test("help has examples", async () => {
  const { code, stdout } = await cria(["serve", "--help"]);
  expect(code).toBe(0);
  expect(stdout).toContain("$ cria serve model.gguf");
});

test("has a page to chat at /, unless it is told not to", async () => {
  const open = await serving(DEMO_MODEL);
  expect(open.told[0]).toMatch(/\(open it in a browser to chat; Ctrl-C ends it\)$/);
  const page = await fetch(open.url);
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(await page.text()).toContain('src="page/main.js"');
  expect((await fetch(`${open.url}/page/style.css`)).status).toBe(200);
  const without = await serving(DEMO_MODEL, "--no-page");
  expect(without.told[0]).toMatch(/:\d+ \(Ctrl-C ends it\)$/);
  expect((await fetch(without.url)).status).toBe(404);
  for (const { child, ended } of [open, without]) {
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  }
  expect(open.told.filter((line) => line.startsWith("200"))).toEqual([
    expect.stringMatching(/^200 GET \/ \d+ ms$/),
  ]);
});
