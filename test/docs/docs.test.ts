// Every code block of README.md and docs/ does what a reader would see: JavaScript runs, a page's
// blocks one after the other, with what they take for granted (test/docs/given.mjs); commands of cria's
// run in a shell; of other commands, npm's scripts are there.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as aiSdk from "../../lib/ai-sdk/ai-sdk.js";
import * as electronClient from "../../lib/electron/electron-client.js";
import * as electronServer from "../../lib/electron/electron-server.js";
import * as library from "../../lib/index.js";
import * as langchain from "../../lib/langchain/langchain.js";
import * as httpServer from "../../lib/server/create-server.js";
import { runNode } from "../support/child.js";
import { finish } from "../support/cli.js";
import { fuzzFiles } from "../support/fuzz-files.js";
import { GUARD_8B } from "../support/guard-templates.js";
import { CLI, MODEL, ROOT } from "../support/paths.js";
import { writeRandomModel } from "../support/random-model.js";
import { stripes } from "../support/tiny-media.js";
import { writeBert } from "../support/tiny-models.js";
import { writeLlava } from "../support/tiny-projectors.js";

const { readGguf, text, TYPE, u32, writeGguf } = fuzzFiles;

interface Block {
  readonly language: string;
  readonly line: number;
  readonly code: string;
}

function blocksOf(page: string): Block[] {
  const found = page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm);
  return [...found].map(({ 1: language = "", 2: code = "", index }) => ({
    language,
    code,
    line: page.slice(0, index).split("\n").length,
  }));
}

/** A folder with what the pages name: models, requests, the examples. */
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cria-docs-"));
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
});
afterEach(() => rm(folder, { recursive: true }));

/** What pages fetch is in a cache already, and nothing asks the network. */
const OFFLINE = { HF_HUB_OFFLINE: "1", HF_TOKEN: "", HF_HUB_CACHE: "hub" };

beforeEach(async () => {
  const repository = join(folder, "hub", "models--bartowski--Llama-3.2-3B-Instruct-GGUF");
  const commit = "c0ffee".padEnd(40, "0");
  await mkdir(join(repository, "snapshots", commit), { recursive: true });
  await mkdir(join(repository, "refs"));
  await writeFile(join(repository, "refs", "main"), commit);
  const file = join(repository, "snapshots", commit, "Llama-3.2-3B-Instruct-Q4_K_M.gguf");
  await symlink(MODEL, file);
});

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

/** A block as a function; its imports of the library are asserted and made inside it. */
function asFunction({ code, line }: Block): string {
  const from = /^import \{([^}]*)\} from "((?:cria|ai|zod|@langchain)(?:\/[^"]*)?)";$/gm;
  const openai = /^import OpenAI from "openai";$/m;
  const own = code.replace(openai, 'const { default: OpenAI } = await import("openai");');
  const body = own.replace(from, (_, names: string, module: string) => {
    for (const name of module.startsWith("cria") ? names.split(",") : []) {
      expect(Object.keys(MODULES[module] ?? {})).toContain(name.trim());
    }
    return module === "cria" ? "" : `const {${names}} = await import("${module}");`;
  });
  expect(body).not.toMatch(/^import /m);
  const told = `catch (error) { error.message = "line ${line}: " + error.message; throw error; }`;
  return `async () => { try {\n${body}\n} ${told} }`;
}

const PAGES = [
  "README.md",
  ...readdirSync(join(ROOT, "docs")).flatMap((name) =>
    name.endsWith(".md") ? `docs/${name}` : [],
  ),
];

const blocksIn = async (page: string, language: string) =>
  blocksOf(await readFile(join(ROOT, page), "utf8")).filter((block) => block.language === language);

test.each(PAGES)("JavaScript in %s runs", async (page) => {
  const given = await readFile(join(__dirname, "given.mjs"), "utf8");
  const names = given.matchAll(/^export (?:const|function|async function\*?) (\w+)/gm);
  const file = join(folder, `${page.replace(/\W/g, "-")}.mjs`);
  await writeFile(
    file,
    `import * as given from "./given.mjs";
     import * as cria from "cria";
     const { ${Object.keys(library).join(", ")} } = cria;
     const { ${[...names].map(([, name]) => name).join(", ")} } = given;
     for (const block of [${(await blocksIn(page, "js")).map(asFunction).join(",\n")}]) await block();
     await given.end();`,
  );
  const { stdout: _, ...end } = await runNode([file], {
    ...{ cwd: folder, deadline: 240_000, env: OFFLINE },
  });
  expect(end).toEqual({ code: 0, signal: null, stderr: "" });
});

test.each(PAGES)("commands in %s work", async (page) => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const commands = (await blocksIn(page, "sh")).flatMap(({ code }) =>
    code.replaceAll("\\\n", " ").split("\n"),
  );
  for (const command of commands) {
    for (const [, script = ""] of command.matchAll(/npm run ([\w:-]+)/g)) {
      expect(Object.keys(scripts)).toContain(script);
    }
    if (!/\bcria (chat|generate|batch|moderate|pull|inspect|info|devices)\b/.test(command))
      continue;
    const shell = `cria() { "${process.execPath}" "${CLI}" "$@"; }\nset -o pipefail\n`;
    const script = shell + command.replaceAll("npx cria", "cria");
    const child = spawn("bash", ["-c", script], {
      ...{ cwd: folder, env: { ...process.env, ...OFFLINE } },
    });
    child.stdin.end();
    const { code, stderr } = await finish(child);
    // 3: something was unsafe, which is an answer.
    expect({
      command,
      answered: code === 0 || code === 3,
      stderr: code === 1 ? stderr : "",
    }).toEqual({
      command,
      answered: true,
      stderr: "",
    });
  }
});
