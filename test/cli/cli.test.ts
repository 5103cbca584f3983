import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { engineInfo, estimateMemory } from "../../lib/index.js";
import { PACKAGED_FOR } from "../../lib/internal/engine-files.js";
import { cria, DEMO_MODEL, finish, start } from "../support/cli.js";

let directory: string;
let endlessGrammar: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-cli-"));
  endlessGrammar = join(directory, "endless.gbnf");
  await writeFile(endlessGrammar, 'root ::= "a" root');
});

afterAll(() => rm(directory, { recursive: true }));

const generate = (...args: string[]) => ["generate", DEMO_MODEL, ...args];
/** Runs for longer than any test waits. */
const endless = () =>
  generate("Once", "--grammar", endlessGrammar, "--context-size", "60000", "--quiet");
const GREEDY = ["--temperature", "0", "--max-tokens", "12"];

describe("usage", () => {
  test("help and version are answers", async () => {
    const help = await cria(["--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const command of ["generate", "chat", "serve", "info", "devices"]) {
      expect(help.stdout).toContain(command);
    }
    const version = await cria(["--version"]);
    expect(version).toMatchObject({ code: 0, stderr: "" });
    expect(version.stdout).toBe(`${require("../../package.json").version}\n`);
  });

  test.each([
    [[], "Usage: cria"],
    [["genrate"], "Did you mean generate?"],
    [["generate"], "missing required argument 'model'"],
    [generate("a prompt", "--bogus"), "unknown option '--bogus'"],
    [generate("a prompt", "--prompt", "another"), "Give the prompt once"],
    [generate(), "Give a prompt"],
    [generate("a prompt", "--max-tokens", "few"), "Expected a whole number from 1 to 2147483647"],
    [generate("a prompt", "--max-tokens", "0"), "Expected a whole number from 1 to 2147483647"],
    [generate("a prompt", "--seed", "4294967295"), "from 0 to 4294967294"],
    [generate("a prompt", "--temperature", "hot"), "Expected a number"],
    [generate("a prompt", "--temperature", "-1"), "'--temperature <t>' argument '-1'"],
    [generate("a prompt", "--top-p", "1.5"), "Expected a number from 0 to 1"],
    [generate("a prompt", "--gpu-layers", "some"), "auto or all"],
    [generate("a prompt", "--stop", ""), "[ERR_INVALID_ARGUMENT]"],
    [["devices", "surplus"], "Expected a worker"],
    [["info", DEMO_MODEL, "--context", "some"], "'--context, --context-size <n>' argument 'some'"],
    [["info", DEMO_MODEL, "--context", "8", "--kv-cache-type", "q9"], "Allowed choices are f32,"],
    [["info", DEMO_MODEL, "--sequences", "2"], "need --context"],
  ])("%j is wrong usage", async (args, message) => {
    const { code, stdout, stderr } = await cria(args);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
    expect(stdout).toBe("");
  });
});

describe("failures", () => {
  test("a missing model is named, with its code and no stack", async () => {
    const { code, stdout, stderr } = await cria(["generate", "no-such-model.gguf", "a prompt"]);
    expect(stderr).toMatch(/^cria: .*no-such-model\.gguf.*\[ERR_MODEL_NOT_FOUND\]\n$/s);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(code).toBe(1);
    expect(stdout).toBe("");
  });

  test("CRIA_DEBUG=1 adds the stack", async () => {
    const { code, stderr } = await cria(["info", "no-such-model.gguf"], "", { CRIA_DEBUG: "1" });
    expect(stderr).toContain("[ERR_MODEL_NOT_FOUND]");
    expect(stderr).toMatch(/^ +at /m);
    expect(code).toBe(1);
  });

  test("a file that is no model", async () => {
    const path = join(directory, "text.gguf");
    await writeFile(path, "This is no model.");
    const { code, stderr } = await cria(["info", path]);
    expect(stderr).toContain("[ERR_MODEL_INVALID]");
    expect(code).toBe(1);
  });

  test("a prompt longer than the context", async () => {
    const { code, stderr } = await cria(
      generate("-", "--context-size", "256"),
      "llama ".repeat(2000),
    );
    expect(stderr).toContain("[ERR_CONTEXT_FULL]");
    expect(stderr).toContain("--context-size");
    expect(code).toBe(1);
  });

  test("a grammar file that is not there", async () => {
    const { code, stderr } = await cria(generate("a prompt", "--grammar", "no-such-file.gbnf"));
    expect(stderr).toMatch(/^cria: .*no-such-file\.gbnf/);
    expect(code).toBe(1);
  });

  test("a grammar that is none", async () => {
    const path = join(directory, "broken.gbnf");
    await writeFile(path, "root ::= (");
    const { code, stderr } = await cria(generate("a prompt", "--grammar", path));
    expect(stderr).toContain("[ERR_GRAMMAR_INVALID]");
    expect(code).toBe(1);
  });
});

describe("generate", () => {
  test("the text on stdout, one line about it on stderr", async () => {
    const { code, stdout, stderr } = await cria(generate("Once upon a time", ...GREEDY));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^.+\n$/);
    expect(stderr).toMatch(/^\d+ prompt tokens in \d+ ms, 12 tokens in .* max-tokens\n$/);
  });

  test("--quiet leaves stderr empty", async () => {
    const { code, stdout, stderr } = await cria(generate("Once upon a time", ...GREEDY, "--quiet"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).not.toBe("");
  });

  test("the prompt as argument, option and standard input gives the same", async () => {
    const prompt = "Once upon a time";
    const [argument, option, dash, optionDash, piped] = await Promise.all([
      cria(generate(prompt, ...GREEDY, "-q")),
      cria(generate("--prompt", prompt, ...GREEDY, "-q")),
      cria(generate("-", ...GREEDY, "-q"), `${prompt}\n`),
      cria(generate("--prompt", "-", ...GREEDY, "-q"), `${prompt}\n`),
      cria(generate(...GREEDY, "-q"), prompt),
    ]);
    expect(argument.stdout).not.toBe("");
    for (const other of [option, dash, optionDash, piped]) expect(other).toEqual(argument);
  });

  test("--json gives the whole result", async () => {
    const prompt = "Once upon a time";
    const [json, plain] = await Promise.all([
      cria(generate(prompt, ...GREEDY, "--json", "--quiet")),
      cria(generate(prompt, ...GREEDY, "--quiet")),
    ]);
    expect(json).toMatchObject({ code: 0, stderr: "" });
    const result = JSON.parse(json.stdout);
    expect(`${result.text}\n`).toBe(plain.stdout);
    expect(result).toEqual({
      text: expect.any(String),
      tokens: expect.any(Array),
      stopReason: "max-tokens",
      stopToken: null,
      stopString: null,
      usage: { promptTokens: expect.any(Number), cachedTokens: 0, completionTokens: 12 },
      timings: {
        queuedMs: expect.any(Number),
        promptMs: expect.any(Number),
        generationMs: expect.any(Number),
        tokensPerSecond: expect.any(Number),
      },
    });
    expect(result.tokens).toHaveLength(12);
  });

  test("the same seed gives the same text, another one another", async () => {
    const seeded = (seed: string) =>
      cria(generate("Once", "--temperature", "1.5", "--max-tokens", "40", "-q", "--seed", seed));
    const [first, again, other] = await Promise.all([seeded("7"), seeded("7"), seeded("8")]);
    expect(again.stdout).toBe(first.stdout);
    expect(other.stdout).not.toBe(first.stdout);
  });

  test("--stop, given twice, ends before either", async () => {
    const args = ["--temperature", "0", "--max-tokens", "200", "--json", "-q"];
    const whole = JSON.parse((await cria(generate("Once upon a time", ...args))).stdout).text;
    const word = whole.trim().split(" ")[2];
    const stops = ["--stop", "never in it", "--stop", word];
    const stopped = JSON.parse(
      (await cria(generate("Once upon a time", ...args, ...stops))).stdout,
    );
    expect(stopped).toMatchObject({ stopReason: "stop-string", stopString: word });
    expect(stopped.text).toBe(whole.slice(0, whole.indexOf(word)));
  });

  test("--grammar is followed", async () => {
    const path = join(directory, "answer.gbnf");
    await writeFile(path, 'root ::= "yes" | "no"');
    const { stdout } = await cria(generate("Once upon a time", "--grammar", path, "-q"));
    expect(["yes\n", "no\n"]).toContain(stdout);
  });

  test("a reader that leaves early is no failure", async () => {
    const child = start(endless());
    const ended = once(child, "close");
    child.stdout.once("data", () => child.stdout.destroy());
    expect(await text(child.stderr)).toBe("");
    expect(await ended).toEqual([0, null]);
  });

  test("Ctrl-C keeps what there is and exits with 130", async () => {
    const child = start(endless());
    const outcome = finish(child);
    child.stdout.once("data", () => child.kill("SIGINT"));
    const { code, signal, stdout, stderr } = await outcome;
    expect({ code, signal, stderr }).toEqual({ code: 130, signal: null, stderr: "" });
    expect(stdout).toMatch(/^a+\n$/);
  });
});

describe("info", () => {
  test("--context tells the memory of each device", async () => {
    const { code, stdout, stderr } = await cria(["info", DEMO_MODEL, "--context", "1024"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^memory with a context of 1024 tokens, 1 sequence$/m);
    expect(stdout).toMatch(/^ +model +KV cache +compute +together +free now$/m);
    expect(stdout).toMatch(/^CPU +3\.4 MiB +2\.5 MiB( +[\d.]+ [KMGT]iB){3}$/m);
    const plain = await cria(["info", DEMO_MODEL]);
    expect(plain.stdout).not.toContain("KV cache");
  });

  test("--context --json tells what estimateMemory() does", async () => {
    const options = { contextSize: 300, sequences: 4, kvCacheType: "q8_0" } as const;
    const flags = ["--context-size", "300", "--sequences", "4", "--kv-cache-type", "q8_0"];
    const { code, stdout } = await cria(["info", DEMO_MODEL, "--json", ...flags]);
    expect(code).toBe(0);
    const { memory } = JSON.parse(stdout);
    const { perDevice: _, ...sums } = await estimateMemory(DEMO_MODEL, options);
    expect(memory).toMatchObject({ ...sums, contextSize: 300, gpuLayers: 0 });
    const auto = await cria(["info", DEMO_MODEL, "--json", "--context", "auto"]);
    expect(JSON.parse(auto.stdout).memory.contextSize).toBe(2048);
  });

  test("--json tells what the file holds", async () => {
    const { code, stdout, stderr } = await cria(["info", DEMO_MODEL, "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const info = JSON.parse(stdout);
    expect(info).toMatchObject({
      path: DEMO_MODEL,
      description: expect.stringContaining("llama"),
      architecture: "llama",
      chatTemplate: expect.stringContaining("<|start_header_id|>"),
      metadata: { "general.architecture": "llama" },
    });
    for (const name of ["parameterCount", "sizeInBytes", "contextLength", "layerCount"]) {
      expect(info[name]).toBeGreaterThan(0);
    }
    expect(info.contextLength).toBe(Number(info.metadata["llama.context_length"]));
    expect(info.specialTokens.eot).toEqual(expect.any(Number));
  });

  test("for people", async () => {
    const { code, stdout, stderr } = await cria(["info", DEMO_MODEL]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^description +llama \S+/m);
    expect(stdout).toMatch(/^architecture +llama$/m);
    expect(stdout).toMatch(/^special tokens .*eot <\|eot_id\|> \(\d+\)/m);
    expect(stdout).toMatch(/^llama\.context_length +\d+$/m);
  });
});

describe("a file of somebody else's", () => {
  const NAME = "\x1b]0;x\x07\x1b[2";
  const DESCRIPTION = "\u009b2J\x7f\u202e";
  let file: string;

  beforeAll(async () => {
    const bytes = await readFile(DEMO_MODEL);
    bytes.write(NAME, bytes.indexOf("cria demo"));
    bytes.write(DESCRIPTION.padEnd(8), bytes.indexOf("A tiny model"));
    file = join(directory, "evil.gguf");
    await writeFile(file, bytes);
  });

  /** All but line feeds: C0, DEL, C1 and what turns text around. */
  const obeyed = /(?!\n)[\p{Cc}\p{Cf}]/u;

  test.each(["info", "inspect"])("%s shows what a terminal would obey as text", async (command) => {
    const { code, stdout, stderr } = await cria([command, file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("\\u001b]0;x\\u0007");
    expect(stdout).toContain("\\u009b2J\\u007f\\u202e");
    expect(stdout).not.toMatch(obeyed);
  });

  test.each(["info", "inspect"])("%s --json is the same value, escaped", async (command) => {
    const { stdout } = await cria([command, "--json", file]);
    expect(stdout).not.toMatch(/(?!\n)\p{Cc}/u);
    const { metadata } = JSON.parse(stdout);
    expect(metadata["general.name"]).toBe(NAME);
    expect(metadata["general.description"].startsWith(DESCRIPTION)).toBe(true);
  });
});

describe("devices", () => {
  test("--json lists the CPU at least", async () => {
    const { code, stdout, stderr } = await cria(["devices", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { engine, devices } = JSON.parse(stdout);
    expect(engine).toMatchObject({ path: expect.stringMatching(/\.node$/) });
    expect(engine.llamaCpp).not.toBe("");
    expect(devices).toContainEqual(expect.objectContaining({ type: "cpu" }));
  });

  test("for people", async () => {
    const { code, stdout, stderr } = await cria(["devices"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^engine +\w+, llama\.cpp /);
  });

  test("says how to compute on a GPU where there is a package for it, and nobody chose otherwise", async () => {
    const hint = "npm install cria-vulkan";
    const chosen = await cria(["devices"], "", { CRIA_BACKEND: engineInfo().backend });
    expect(chosen.stdout).not.toContain(hint);
    const env = { CRIA_BACKEND: "", CRIA_BINARY: "" };
    const { stdout } = await cria(["devices"], "", env);
    const packaged = PACKAGED_FOR.includes(`${process.platform}-${process.arch}`);
    expect(stdout.includes(hint)).toBe(packaged && /^engine +cpu,/.test(stdout));
  });
});
