// What `npm create cria` writes, refuses and asks; and its templates, each run with this checkout as their cria.

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { runNode, runScript } from "../support/child.js";
import { NODE, ROOT } from "../support/paths.js";

const PACKAGE = join(ROOT, "packages", "create-cria");
const PROGRAM = join(PACKAGE, "create-cria.mjs");
const TEMPLATES = readdirSync(join(PACKAGE, "templates"));
const { version } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-create-"));
});
afterEach(() => rm(folder, { recursive: true }));

const create = (...args: string[]) => runNode([PROGRAM, ...args], { cwd: folder });
const manifestOf = (project: string) =>
  JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
const filesOf = (of: string) =>
  (
    readdirSync(of, { recursive: true, withFileTypes: true }) as {
      name: string;
      isFile(): boolean;
    }[]
  )
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
    .sort();

/** A project made of a template, with this checkout in its node_modules. */
async function project(template: string): Promise<string> {
  const end = await create("app", "--template", template);
  expect(end).toMatchObject({ code: 0, stderr: "" });
  const made = join(folder, "app");
  await mkdir(join(made, "node_modules"));
  symlinkSync(ROOT, join(made, "node_modules", "cria"), "junction");
  return made;
}

describe("the command", () => {
  test("there is a test of each template below", () => {
    expect(TEMPLATES.sort()).toEqual(["electron", "next", "script", "server"]);
  });

  test.each(TEMPLATES)(
    "writes %s: its files, a .gitignore, a name, a version of cria",
    async (template) => {
      const end = await create("My App", "--template", template);
      expect(end).toMatchObject({ code: 0, stderr: "" });
      const made = join(folder, "My App");
      expect(end.stdout).toMatch(
        /^Wrote \d+ files into .*My App\n\nNext:\n {2}cd "My App"\n {2}npm install\n {2}npm (start|run dev)\n$/,
      );
      const wanted = filesOf(join(PACKAGE, "templates", template));
      expect(filesOf(made)).toEqual(
        wanted.map((name) => name.replace(/^gitignore$/, ".gitignore")).sort(),
      );
      expect(readFileSync(join(made, ".gitignore"), "utf8")).toMatch(/^node_modules\/\n/);
      expect(manifestOf(made)).toMatchObject({
        name: "my-app",
        private: true,
        dependencies: { cria: `^${version}` },
      });
    },
  );

  test("takes a name, a cria of one's own, and a folder with a fresh repository in it", async () => {
    mkdirSync(join(folder, ".git"));
    const end = await create(
      ".",
      "-t",
      "script",
      "--name",
      "@me/app",
      "--cria",
      "file:../cria.tgz",
    );
    expect(end).toMatchObject({ code: 0, stderr: "" });
    expect(end.stdout).toContain("Next:\n  npm install\n");
    expect(manifestOf(folder)).toMatchObject({
      name: "@me/app",
      dependencies: { cria: "file:../cria.tgz" },
    });
  });

  test("says what to type in the caller's package manager", async () => {
    const env = { npm_config_user_agent: "pnpm/9.1.0 npm/? node/v22.0.0 linux x64" };
    const { stdout } = await runNode([PROGRAM, "app", "-t", "next"], { cwd: folder, env });
    expect(stdout).toContain("  cd app\n  pnpm install\n  pnpm dev\n");
  });

  test("touches no folder that has something in it", async () => {
    writeFileSync(join(folder, "thesis.txt"), "all of it");
    const end = await create(".", "--template", "script");
    expect(end).toMatchObject({ code: 1, stdout: "" });
    expect(end.stderr).toMatch(/^create-cria: .* is not empty \(thesis\.txt\): name a new folder/);
    expect(readdirSync(folder)).toEqual(["thesis.txt"]);
    expect((await create("thesis.txt", "--template", "script")).stderr).toContain(
      "is a file, not a folder",
    );
  });

  test.each<[string, string[], RegExp]>([
    [
      "a template that there is not",
      ["app", "--template", "web"],
      /Expected one of script, server, electron, next .*"web"/,
    ],
    [
      "a name that npm refuses",
      ["app", "-t", "script", "--name", "My App"],
      /"My App" is no name for a package/,
    ],
    [
      "a folder that gives no name",
      ["...", "-t", "script"],
      /"" is no name for a package: it is empty/,
    ],
    ["a flag that there is not", ["app", "--tempalte", "script"], /Unknown option '--tempalte'/],
    ["no version of cria", ["app", "-t", "script", "--cria", ""], /Expected a version for --cria/],
    ["two folders", ["a", "b", "-t", "script"], /Expected one folder, got 2: a, b/],
    ["nothing, without a terminal", [], /Expected a folder, and there is no terminal/],
    ["no template, without a terminal", ["app"], /Expected --template, and there is no terminal/],
  ])("refuses %s, and writes nothing", async (_, args, words) => {
    const end = await create(...args);
    expect(end).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(words) });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("--help and --version", async () => {
    expect((await create("--version")).stdout).toBe(`${version}\n`);
    const { code, stdout } = await create("--help");
    expect(code).toBe(0);
    for (const template of TEMPLATES)
      expect(stdout).toMatch(new RegExp(`^ {2}${template} +\\w`, "m"));
  });
});

test("names are those that npm takes", async () => {
  const names = ["app", "@me/app", "a.b_c~d-1", "x".repeat(214)];
  const wrong = [
    "",
    "App",
    ".app",
    "_app",
    "a b",
    "a/b",
    "@/a",
    "fs",
    "node_modules",
    "cria",
    "é",
    "x".repeat(215),
  ];
  const folders = ["My App", "Über-Llama", "_x", "...", "a--b", "llama!", "日本"];
  const { stdout } = await runScript("create-cria/names.mjs", {
    args: [
      join(PACKAGE, "package-name.mjs"),
      JSON.stringify([...names, ...wrong]),
      JSON.stringify(folders),
    ],
  });
  expect(JSON.parse(stdout)).toEqual({
    refused: wrong,
    made: ["my-app", "uber-llama", "x", "", "a--b", "llama", ""],
  });
});

describe("at a terminal", () => {
  const ask = async (answers: string[], ...flags: string[]) => {
    const args = [PROGRAM, folder, JSON.stringify(answers), JSON.stringify(flags)];
    const { stdout, stderr } = await runScript("create-cria/asked.mjs", { args });
    expect(stderr).toBe("");
    return JSON.parse(stdout) as { shown: string; status: number; unused: string[] };
  };

  test("asks for what is open, again where the answer will not do", async () => {
    mkdirSync(join(folder, "full"));
    writeFileSync(join(folder, "full", "a"), "");
    const { shown, status, unused } = await ask(["full", "日本", "9", "server", "App", "app"]);
    expect(shown).toContain("is not empty (a)");
    expect(shown).toContain("A number from 1 to 4, or a name.");
    expect(shown).toContain('"App" is no name for a package');
    expect({ status, unused }).toEqual({ status: 0, unused: [] });
    expect(manifestOf(join(folder, "日本"))).toMatchObject({
      name: "app",
      scripts: { ask: "node ask.mjs" },
    });
  });

  test("an empty answer is the one in brackets", async () => {
    const { status } = await ask(["", ""]);
    expect(status).toBe(0);
    expect(existsSync(join(folder, "my-cria-app", "index.mjs"))).toBe(true);
  });

  test("asks nothing that a flag says", async () => {
    const { shown, status } = await ask([], "app", "--template", "script");
    expect(status).toBe(0);
    expect(shown).toMatch(/^Wrote /);
  });

  test("Ctrl-D leaves, and nothing is written", async () => {
    expect(await ask(["app"])).toMatchObject({ status: 130 });
    expect(readdirSync(folder)).toEqual([]);
  });
});

test("the script answers, and calls its tool", async () => {
  const made = await project("script");
  const file = join(made, "index.mjs");
  expect(await runNode([file])).toEqual({
    ...{ code: 0, signal: null, stderr: "" },
    stdout: "A baby llama is called a cria.\n",
  });
  expect(await runNode([file, "What is the weather in Lisbon?"])).toEqual({
    ...{ code: 0, signal: null, stderr: "(looks up Lisbon)\n" },
    stdout: "It is 21 degrees and sunny in Lisbon.\n",
  });
});

test("the server answers its client, wants its key, and ends when told", async () => {
  const made = await project("server");
  const env = { ...process.env, PORT: "0", API_KEYS: "one,another" };
  const server = spawn(NODE, [join(made, "server.mjs")], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const log = createInterface({ input: server.stdout });
  log.on("line", (line) => lines.push(line));
  const ended = once(server, "close");
  await once(log, "line");
  const url = /http:\S+/.exec(lines[0] ?? "")?.[0] ?? "";
  const ask = (key: string) =>
    runNode([join(made, "ask.mjs")], { env: { URL_OF_SERVER: url, API_KEY: key } });
  expect(await ask("another")).toEqual({
    ...{ code: 0, signal: null, stderr: "" },
    stdout: "A baby llama is called a cria.\n",
  });
  const refused = await ask("third");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("Error: 401: ") });
  server.kill("SIGTERM");
  expect((await ended)[0]).toBe(process.platform === "win32" ? null : 0);
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(/^POST \/v1\/chat\/completions 200 \d+ ms$/),
    expect.stringMatching(/^POST \/v1\/chat\/completions 401 \d+ ms$/),
  ]);
});

test("the Electron app answers in its page, also when the engine's process was gone", async () => {
  const made = await project("electron");
  const modules = join(made, "node_modules", "electron");
  await mkdir(modules);
  await copyFile(join(__dirname, "fake-electron.cjs"), join(modules, "index.js"));
  const { stdout, ...end } = await runScript("create-cria/electron-app.mjs", { args: [made] });
  expect(end).toEqual({ code: 0, signal: null, stderr: "" });
  expect(JSON.parse(stdout)).toEqual({
    messages: [
      ["user", "What is the weather in Lisbon?"],
      ["assistant", "It is 21 degrees and sunny in Lisbon."],
      ["note", "calls get_weather"],
      ["user", "My llama is called Luna."],
      ["assistant", expect.stringMatching(/\w/)],
      ["user", "What is my llama called?"],
      ["assistant", "Your llama is called Luna."],
    ],
    forked: 2,
    url: "app://app/",
    opens: { action: "deny" },
    sandbox: true,
    schemes: ["app"],
    policy: expect.stringContaining("default-src 'none'"),
    html: true,
    outside: 404,
  });
});

describe("the Next.js app", () => {
  test("its route streams, refuses what is no chat, and stops when the client goes", async () => {
    const made = await project("next");
    await build({
      entryPoints: {
        route: join(made, "app", "api", "chat", "route.ts"),
        engine: join(made, "lib", "engine.ts"),
      },
      bundle: true,
      external: ["cria"],
      format: "esm",
      platform: "node",
      outdir: join(made, "built"),
      outExtension: { ".js": ".mjs" },
      logLevel: "silent",
    });
    const { stdout, ...end } = await runNode(
      [join(__dirname, "next-route.mjs"), pathToFileURL(join(made, "built", "route.mjs")).href],
      { cwd: made },
    );
    expect(end).toEqual({ code: 0, signal: null, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      answer: [200, "A baby llama is called a cria."],
      aborted: "AbortError",
      wrong: Array(9).fill([400, expect.stringContaining("Expected { messages: [{ role:")]),
    });
  });

  test("TypeScript accepts what runs on its server, by the template's own settings", async () => {
    const made = await project("next");
    await mkdir(join(made, "node_modules", "@types"));
    const types = join("node_modules", "@types", "node");
    symlinkSync(join(ROOT, types), join(made, types), "junction");
    const config = join(made, "tsconfig.server.json");
    const files = ["app/api/chat/route.ts", "lib/engine.ts"];
    writeFileSync(config, JSON.stringify({ extends: "./tsconfig.json", files, include: [] }));
    const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const end = await runNode([tsc, "--project", config]);
    expect(end).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
  });
});
