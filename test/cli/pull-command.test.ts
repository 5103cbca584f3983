import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { downloadText } from "../../lib/cli/terminal/download-view.js";
import { cria, finish, start } from "../support/cli.js";
import { HubFolder, someFile } from "../support/hub-folder.js";
import { COMMIT, HubServer, REPOSITORY, sha256 } from "../support/hub-server.js";
import { MODEL } from "../support/paths.js";

const NAME = "tiny-Q4_K_M.gguf";
const demo = readFileSync(MODEL);

let hub: HubServer;
let folder: HubFolder;
beforeAll(async () => {
  hub = await HubServer.start();
});
afterAll(() => hub.stop());
beforeEach(() => {
  hub.reset();
  folder = new HubFolder(hub.endpoint);
});
afterEach(() => folder.remove());

const blobs = () => join(folder.path, "hub", "models--cria--tiny-GGUF", "blobs");

test("pull writes the path and nothing else, and the commands take the reference", async () => {
  hub.files.set(NAME, demo);
  const { code, stdout, stderr } = await cria(["pull", `hf:${REPOSITORY}`]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(new RegExp(`${COMMIT}.${NAME}\n$`));
  expect(readFileSync(stdout.trim()).equals(demo)).toBe(true);
  hub.sent = 0;
  const answer = await cria([
    "generate",
    `hf:${REPOSITORY}:Q4_K_M`,
    "Once",
    "--max-tokens",
    "3",
    "-q",
  ]);
  expect(answer).toMatchObject({ code: 0, stderr: "" });
  expect(answer.stdout.length).toBeGreaterThan(1);
  expect(hub.sent).toBe(0);
});

test("a token comes from a file; a repository that is not there, and wrong usage", async () => {
  hub.files.set(NAME, demo);
  const token = join(folder.path, "my-token");
  writeFileSync(token, "hf_secret\n");
  const directory = join(folder.path, "models");
  const done = await cria([
    "pull",
    `hf:${REPOSITORY}`,
    "--directory",
    directory,
    "--token-file",
    token,
  ]);
  expect(done).toMatchObject({ code: 0, stdout: `${join(directory, NAME)}\n` });
  expect(hub.asked[0]?.authorization).toBe("Bearer hf_secret");
  const missing = await cria(["pull", `hf:${REPOSITORY}:Q2_K`]);
  expect(missing).toMatchObject({ code: 1, stdout: "" });
  expect(missing.stderr).toMatch(/there are :Q4_K_M \(tiny-Q4_K_M\.gguf\) \[ERR_MODEL_NOT_FOUND\]/);
  const wrong = await cria(["pull", "hf:user/repo/../../x"]);
  expect(wrong).toMatchObject({ code: 2, stdout: "" });
  const lost = await cria(["pull", join(directory, "lost.gguf")]);
  expect(lost).toMatchObject({ code: 1, stdout: "" });
  expect(lost.stderr).toMatch(/cannot be read: ENOENT/);
  writeFileSync(token, "\n");
  expect(await cria(["pull", `hf:${REPOSITORY}`, "--token-file", token])).toMatchObject({
    code: 2,
  });
});

test("two processes that fetch one file at once fetch it once", async () => {
  const file = someFile(3_000_000);
  hub.files.set(NAME, file);
  const runs = await Promise.all([1, 2].map(() => cria(["pull", `hf:${REPOSITORY}`])));
  expect(runs.map(({ code }) => code)).toEqual([0, 0]);
  expect(runs[0]?.stdout).toBe(runs[1]?.stdout);
  expect(readFileSync((runs[0]?.stdout ?? "").trim()).equals(file)).toBe(true);
  expect(hub.sent).toBeLessThan(file.length + 10);
  expect(readdirSync(blobs())).toEqual([sha256(file)]);
});

test("after a kill the next process takes the lock away and goes on", async () => {
  const file = someFile(40_000_000);
  hub.files.set(NAME, file);
  const killed = start(["pull", `hf:${REPOSITORY}`]);
  // One range of three comes; the others are silent until the process is gone.
  const note = join(blobs(), `${sha256(file)}.cria-part.json`);
  hub.onFile = (exchange) => {
    if (exchange.from < 16_000_000) exchange.answer();
  };
  while (!existsSync(note)) await new Promise((resolve) => setImmediate(resolve));
  killed.kill("SIGKILL");
  expect((await finish(killed)).signal).toBe(process.platform === "win32" ? null : "SIGKILL");
  expect(existsSync(join(blobs(), `${sha256(file)}.cria-part.lock`))).toBe(true);
  hub.onFile = undefined;
  hub.sent = 0;
  const { code, stdout } = await cria(["pull", `hf:${REPOSITORY}`]);
  expect(code).toBe(0);
  expect(readFileSync(stdout.trim()).equals(file)).toBe(true);
  expect(hub.sent).toBeLessThan(file.length - 10_000_000);
  expect(readdirSync(blobs())).toEqual([sha256(file)]);
});

test("Ctrl-C leaves what came", async () => {
  const file = someFile(3_000_000);
  hub.files.set(NAME, file);
  const child = start(["pull", `hf:${REPOSITORY}`]);
  let asked = 0;
  hub.onFile = (exchange) => {
    asked += 1;
    if (asked === 1) return exchange.answer();
    child.kill("SIGINT");
  };
  const { code, stdout } = await finish(child);
  expect(stdout).toBe("");
  if (process.platform !== "win32") expect(code).toBe(130);
  expect(readdirSync(blobs()).filter((name) => name.endsWith(".lock"))).toEqual([]);
});

test("inspect and info tell of a model elsewhere what they tell of one here", async () => {
  hub.files.set(NAME, demo);
  const reference = `hf:${REPOSITORY}`;
  const there = JSON.parse((await cria(["inspect", reference, "--json", "--tensors"])).stdout);
  const here = JSON.parse((await cria(["inspect", MODEL, "--json", "--tensors"])).stdout);
  expect({ ...there, files: [] }).toEqual({ ...here, files: [] });
  expect(here.tensors.length).toBeGreaterThan(10);
  const memory = await cria(["info", reference, "--context", "512", "--json"]);
  const own = JSON.parse((await cria(["info", MODEL, "--context", "512", "--json"])).stdout);
  const { path, memory: measured, ...facts } = JSON.parse(memory.stdout);
  expect(path).toBe(reference);
  expect(facts).toEqual({ ...own, path: undefined, memory: undefined });
  expect(measured.kvCache).toBe(own.memory.kvCache);
  expect(existsSync(blobs())).toBe(false);
  const table = (await cria(["inspect", MODEL])).stdout;
  expect(table).toMatch(/^architecture +llama$/m);
  expect(table).toMatch(/^type +tensors +parameters +size$/m);
  expect(table).toMatch(/^tokenizer\.ggml\.tokens +\d+ × string: /m);
  const tensors = (await cria(["inspect", MODEL, "--tensors"])).stdout;
  expect(tensors).toMatch(/^token_embd\.weight +\w+ +\d+ × \d+ +\d+ +[\d.]+ [KM]iB$/m);
});

test.each([
  [0, 0, 10, "[........................] 0 % of 2.0 MiB  a.gguf"],
  [1048576, 0, 10, "[############............] 50 % of 2.0 MiB  a.gguf"],
  [
    1048576,
    524288,
    2000,
    "[############............] 50 % of 2.0 MiB, 256.0 KiB/s, 0:04 left  a.gguf",
  ],
  [1024, 1024, 8000, "[........................] 0 % of 2.0 MiB, 128 B/s, 4:32:56 left  a.gguf"],
  [2097152, 1, 10, "[########################] 100 % of 2.0 MiB  a.gguf"],
])("%i bytes, %i of them now, after %i ms", (receivedBytes, fetchedBytes, milliseconds, text) => {
  const progress = { file: "b/a.gguf", totalBytes: 2097152, receivedBytes, fetchedBytes };
  expect(downloadText(progress, milliseconds)).toBe(text);
});
