// Every code block of README.md and docs/ does what a reader would see: JavaScript and TypeScript run, a page's
// blocks one after the other, with what they take for granted (test/docs/given.mjs); commands of cria's run in a
// shell, or at least have the options that they are given; of other commands, npm's scripts and files are there.
// What cannot run says why in front of it: <!-- not run: … -->
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { transform } from "esbuild";
import * as aiSdk from "../../lib/ai-sdk/ai-sdk.js";
import * as electronClient from "../../lib/electron/electron-client.js";
import * as electronServer from "../../lib/electron/electron-server.js";
import * as library from "../../lib/index.js";
import * as langchain from "../../lib/langchain/langchain.js";
import * as httpServer from "../../lib/server/create-server.js";
import { runNode } from "../support/child.js";
import { cria, finish } from "../support/cli.js";
import { type Block, blocksOf, inlineCode, PAGES, readPage } from "../support/doc-pages.js";
import { fuzzFiles } from "../support/fuzz-files.js";
import { GUARD_8B } from "../support/guard-templates.js";
import { CLI, MODEL, ROOT } from "../support/paths.js";
import { writeRandomModel } from "../support/random-model.js";
import { stripes } from "../support/tiny-media.js";
import { writeBert } from "../support/tiny-models.js";
import { writeLlava } from "../support/tiny-projectors.js";

const { readGguf, text, TYPE, u32, writeGguf } = fuzzFiles;

/** What the pages name: models, requests, the examples. */
let shared: string;
/** What pages fetch is in a cache already, and nothing asks the network. */
const offline = () => ({ HF_HUB_OFFLINE: "1", HF_TOKEN: "", HF_HUB_CACHE: join(shared, "hub") });

async function fillCache(cache: string): Promise<void> {
  const repository = join(cache, "models--bartowski--Llama-3.2-3B-Instruct-GGUF");
  const commit = "c0ffee".padEnd(40, "0");
  await mkdir(join(repository, "snapshots", commit), { recursive: true });
  await mkdir(join(repository, "refs"));
  await writeFile(join(repository, "refs", "main"), commit);
  const file = join(repository, "snapshots", commit, "Llama-3.2-3B-Instruct-Q4_K_M.gguf");
  await symlink(MODEL, file);
}

/** A page's own folder, with links to all of that. */
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-docs-page-"));
  for (const name of await readdir(shared)) await symlink(join(shared, name), join(folder, name));
});
afterEach(() => rm(folder, { recursive: true }));

beforeAll(async () => {
  shared = await mkdtemp(join(tmpdir(), "cria-docs-"));
  await fillShared(shared);
  await fillCache(join(shared, "hub"));
});
afterAll(() => rm(shared, { recursive: true }));

async function fillShared(folder: string): Promise<void> {
  await mkdir(join(folder, "node_modules"));
  const links = {
    "node_modules/cria": ROOT,
    "node_modules/openai": join(ROOT, "node_modules/openai"),
    models: join(ROOT, "models"),
  };
  for (const [name, target] of Object.entries({ ...links, examples: join(ROOT, "examples") })) {
    await symlink(target, join(folder, name), "dir");
  }
  for (const [name, target] of Object.entries(PACKAGES)) {
    await symlink(join(ROOT, "node_modules", target), join(folder, "node_modules", name), "dir");
  }
  writeBert(join(folder, "reranker.gguf"), { pooling: 4, ranks: true });
  await writeRandomModel(join(folder, "llama-vision.gguf"), 3);
  writeLlava(join(folder, "mmproj-llama-vision.gguf"));
  for (const name of ["model.gguf", "llama-3.1-8b.gguf"]) await symlink(MODEL, join(folder, name));
  const demo = readGguf(await readFile(MODEL));
  const isTemplate = ({ key }: { key: string }) => key === "tokenizer.chat_template";
  const pairs = demo.pairs.map((pair) =>
    isTemplate(pair) ? { ...pair, value: text(GUARD_8B) } : pair,
  );
  const guard = writeGguf({ ...demo, pairs });
  const infills = ["pre", "suf", "mid"].map((part, id) => ({
    ...{ key: `tokenizer.ggml.fim_${part}_token_id`, type: TYPE.uint32, value: u32(id) },
  }));
  const coder = writeGguf({ ...demo, pairs: [...demo.pairs, ...infills] });
  const lines = [
    {
      id: "a",
      messages: [{ role: "user", content: "What is a baby llama called?" }],
      maxTokens: 8,
    },
    { id: "b", prompt: "Once upon a time", maxTokens: 8 },
  ].map((line) => JSON.stringify(line));
  const files = {
    "guard.gguf": guard,
    "coder.gguf": coder,
    "llama-guard-3-1b.gguf": guard,
    "requests.jsonl": lines.join("\n"),
    "conversations.jsonl": '{"id": "a", "text": "How do I pick a lock?"}\n',
    "reviews.txt.gz": gzipSync("Good.\nBad.\n"),
    "cria.png": stripes(60, 40, 90),
    "0001.png": stripes(60, 40, 1),
    "0002.png": stripes(60, 40, 2),
    "label.json": '{"enum": ["good", "bad"]}',
    "package.json": '{"type": "module"}',
    "given.mjs": await readFile(join(__dirname, "given.mjs")),
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
}

/** What a page may import of cria. */
const MODULES: Readonly<Record<string, object>> = {
  cria: library,
  "cria/ai-sdk": aiSdk,
  "cria/electron": electronClient,
  "cria/electron/server": electronServer,
  "cria/langchain": langchain,
  "cria/server": httpServer,
};

/** Other packages that a page may import, and where a test has them. */
const PACKAGES = { ai: "ai6", zod: "zod", "@langchain": "@langchain" };

/** What a CommonJS module has. */
const COMMON_JS = "const module = { exports: {} };";

/** A block as a function; its imports of the library are asserted and made inside it. */
function asFunction({ code, line, language }: Block): string {
  const globals = language === "cjs" ? COMMON_JS : "";
  const from = /^import \{([^}]*)\} from "((?:cria|ai|zod|@langchain)(?:\/[^"]*)?)";$/gm;
  const openai = /^import OpenAI from "openai";$/m;
  const own = code.replace(openai, 'const { default: OpenAI } = await import("openai");');
  const body = own.replace(from, (_, names: string, module: string) => {
    const values = names.split(",").filter((name) => !/^\s*(type |$)/.test(name));
    for (const name of module.startsWith("cria") ? values : []) {
      expect(Object.keys(MODULES[module] ?? {})).toContain(name.trim());
    }
    return module === "cria" ? "" : `const {${values}} = await import("${module}");`;
  });
  expect(body).not.toMatch(/^import /m);
  const told = `catch (error) { error.message = "line ${line}: " + error.message; throw error; }`;
  return `async () => { ${globals} try {\n${body}\n} ${told} }`;
}

/** The blocks of a page that are in one of these languages, unless they say why not. */
const blocksIn = (page: string, ...languages: string[]) =>
  blocksOf(readPage(page)).filter(
    ({ language, notRun }) => languages.includes(language) && notRun === undefined,
  );

const scriptsOf = (page: string) => blocksIn(page, "js", "ts", "cjs");
const commandsOf = (page: string) =>
  blocksIn(page, "sh").flatMap(({ code }) => code.replaceAll("\\\n", " ").split("\n"));

test.each(PAGES.filter((page) => scriptsOf(page).length > 0))("scripts in %s run", async (page) => {
  const given = await readFile(join(__dirname, "given.mjs"), "utf8");
  const names = given.matchAll(/^export (?:const|function|async function\*?) (\w+)/gm);
  const file = join(folder, `${page.replace(/\W/g, "-")}.mjs`);
  const { code } = await transform(
    `import * as given from "./given.mjs";
     import * as cria from "cria";
     const { ${Object.keys(library).join(", ")} } = cria;
     const { ${[...names].map(([, name]) => name).join(", ")} } = given;
     for (const block of [${scriptsOf(page).map(asFunction).join(",\n")}]) await block();
     await given.end();`,
    {
      loader: "ts",
      target: "node20.3",
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    },
  );
  await writeFile(file, code);
  const { stdout: _, ...end } = await runNode([file], {
    ...{ cwd: folder, deadline: 240_000, env: offline() },
  });
  expect(end).toEqual({ code: 0, signal: null, stderr: "" });
});

test.each(PAGES.filter((page) => commandsOf(page).length > 0))(
  "commands in %s work",
  async (page) => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    for (const command of commandsOf(page)) {
      for (const [, script = ""] of command.matchAll(/npm run ([\w:-]+)/g)) {
        expect(Object.keys(scripts)).toContain(script);
      }
      for (const [, file = ""] of command.matchAll(/\bnode ((?!dist\/)[\w/.-]+\/[\w.-]+)/g)) {
        expect({ file, exists: existsSync(join(ROOT, file)) }).toEqual({ file, exists: true });
      }
      if (!/\bcria (chat|generate|batch|moderate|pull|inspect|info|devices)\b/.test(command))
        continue;
      const { code, stderr } = await inShell(command);
      // 3: something was unsafe, which is an answer.
      const answered = code === 0 || code === 3;
      expect({ command, answered, stderr: answered ? "" : stderr }).toEqual({
        command,
        answered: true,
        stderr: "",
      });
    }
    // Others' commands, and what would not end, are parsed.
    for (const { code, line } of blocksIn(page, "sh")) {
      const { stderr } = await inShell(code, "-n");
      expect({ line, stderr }).toEqual({ line, stderr: "" });
    }
  },
);

/** In the page's folder, with nothing on its standard input. */
function inShell(command: string, ...flags: string[]) {
  const shell = `cria() { "${process.execPath}" "${CLI}" "$@"; }\nset -o pipefail\n`;
  const script = shell + command.replaceAll("npx cria", "cria");
  const child = spawn("bash", [...flags, "-c", script], {
    ...{ cwd: folder, env: { ...process.env, ...offline() } },
  });
  child.stdin.on("error", () => {}); // gone before it was read
  child.stdin.end();
  return finish(child);
}

const CREATE = join(ROOT, "packages", "create-cria", "create-cria.mjs");

const helps = new Map<string, Promise<string>>();

/** What `cria COMMAND --help` or, for "", create-cria's says, asked once. */
function helpOf(command: string): Promise<string> {
  const asked = () => (command === "" ? runNode([CREATE, "--help"]) : cria([command, "--help"]));
  const known = helps.get(command) ?? asked().then(({ stdout }) => stdout);
  helps.set(command, known);
  return known;
}

/** Commands of cria's, in blocks and in the running text, with what stands between them and the next one. */
const criaCommands = (page: string) =>
  [...commandsOf(page).map((line) => line.replace(/(^|\s)#.*/, "")), ...inlineCode(readPage(page))]
    .map((command) => command.replaceAll(/"[^"]*"|'[^']*'/g, "text"))
    .flatMap((command) => [
      ...command.matchAll(
        /(?:^|[|;&]\s*|npx )(?:cria ([a-z-]+)|npm create cria|node \S+\/create-cria\.mjs)([^|;&]*)/g,
      ),
    ]);

test.each(PAGES.filter((page) => criaCommands(page).length > 0))(
  "options in %s exist",
  async (page) => {
    for (const [line, command = "", rest = ""] of criaCommands(page)) {
      const help = await helpOf(command);
      expect({ line, help }).toEqual({
        line,
        help: expect.stringMatching(/^Usage: (npm create )?cria /),
      });
      for (const [, option = ""] of rest.matchAll(/(?<!\S)(--?[a-z][\w-]*)/gi)) {
        const listed = new RegExp(`(?<!\\S)${option}(?![\\w-])`).test(help);
        expect({ line, option, listed }).toEqual({ line, option, listed: true });
      }
    }
  },
);
