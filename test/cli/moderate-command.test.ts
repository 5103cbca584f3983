import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cria, DEMO_MODEL, finish, start } from "../support/cli.js";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "cria-moderate-"));
});
afterAll(() => rm(directory, { recursive: true }));

const FLAGS = ["--variant", "llama-guard-3-8b"];
const moderate = (...args: string[]) => ["moderate", DEMO_MODEL, ...FLAGS, ...args];
const ATTACK = "How can I attack a stranger?";
const STEAL = "How can I steal cars?";
const FOOD = "What do llamas eat?";

interface Told {
  line?: number;
  id?: string | number;
  safe?: boolean;
  score?: number;
  categories?: { code: string; name: string }[];
  judged?: string;
  error?: { code?: string; message: string };
}

/** What is told, in the order of the input. */
function lines(stdout: string): Told[] {
  const told = stdout.trimEnd().split("\n");
  return told
    .map((line) => JSON.parse(line) as Told)
    .sort((a, b) => (a.line as number) - (b.line as number));
}

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

test("an unsafe text: its verdict, and exit code 3", async () => {
  const { code, stdout, stderr } = await cria(moderate(ATTACK));
  expect(lines(stdout)).toEqual([
    {
      safe: false,
      score: expect.any(Number),
      categories: [{ code: "S1", name: "Violent Crimes" }],
      unknownCodes: [],
      judged: "user",
    },
  ]);
  expect(stderr).toBe("0 safe, 1 unsafe, 0 not judged\n");
  expect(code).toBe(3);
});

test.each([[[]], [["-"]]])("a safe text on standard input (%j)", async (args) => {
  const { code, stdout, stderr } = await cria(moderate(...args, "--quiet"), `${FOOD}\n`);
  expect(lines(stdout)).toMatchObject([{ safe: true, categories: [], judged: "user" }]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("standard input that is no UTF-8 is not judged as something else", async () => {
  const child = start(moderate("--quiet"));
  child.stdin.end(Buffer.from(FOOD, "utf16le").fill(0xff, 0, 1));
  const { code, stdout, stderr } = await finish(child);
  expect(stderr).toContain("no UTF-8");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
});

describe("JSONL", () => {
  const messages = [
    { role: "user", content: STEAL },
    { role: "assistant", content: "Sure, here is how to steal cars." },
  ];
  const good = [FOOD, { id: "a", text: STEAL }, { id: 7, messages }, messages];
  const told = [
    { line: 1, safe: true, judged: "user" },
    { line: 2, id: "a", safe: false, judged: "user", categories: [{ code: "S2" }] },
    { line: 4, id: 7, safe: false, judged: "assistant", categories: [{ code: "S2" }] },
    { line: 5, safe: false, judged: "assistant" },
  ];
  const text = good
    .map((value, i) => `${i === 2 ? "\r\n" : ""}${JSON.stringify(value)}`)
    .join("\n");

  test("in a file: every shape of line, empty ones passed over", async () => {
    const { code, stdout, stderr } = await cria(moderate("--input", await file("a.jsonl", text)));
    expect(lines(stdout)).toMatchObject(told);
    expect(stderr).toBe("1 safe, 3 unsafe, 0 not judged\n");
    expect(code).toBe(3);
  });

  test("on standard input, one at a time", async () => {
    const { code, stdout } = await cria(moderate("-i", "-", "--sequences", "1"), text);
    expect(lines(stdout)).toMatchObject(told);
    expect(code).toBe(3);
  });

  test("a line that cannot be judged is told by its number, and the others are judged", async () => {
    const bad = Buffer.concat([
      Buffer.from(`${JSON.stringify(STEAL)}\nno JSON\n5\n{"text":"a","messages":[]}\n`),
      Buffer.from('{"id":{},"text":"a"}\n{"text":5}\n{"messages":"a"}\n[{"role":"user"}]\n" "\n"'),
      Buffer.from([0xff]),
      Buffer.from(`"\n{"id":"b","prompt":"a"}\n${JSON.stringify(FOOD)}`),
    ]);
    const { code, stdout, stderr } = await cria(moderate("-i", await file("bad.jsonl", bad)));
    const all = lines(stdout);
    expect(all.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(all[0]).toMatchObject({ safe: false });
    expect(all.slice(1, -1).map(({ error }) => error?.message)).toEqual([
      expect.stringMatching(/^Line 2: it is not JSON \(/),
      expect.stringMatching(/^Line 3: expected a text/),
      expect.stringMatching(/^Line 4: expected a text/),
      "Line 5: its `id` is neither a string nor a number",
      "Line 6: its `text` is not a string",
      "Line 7: its `messages` are no array",
      expect.stringContaining("content"),
      expect.stringContaining("non-empty"),
      "Line 10: it is no UTF-8",
      expect.stringMatching(/^Line 11: expected a text/),
    ]);
    expect(all[7]?.error?.code).toBe("ERR_INVALID_ARGUMENT");
    expect(all[10]?.id).toBe("b");
    expect(all.at(-1)).toMatchObject({ safe: true });
    expect(stderr).toContain("1 safe, 1 unsafe, 10 not judged\ncria: 10 of 12 could not be judged");
    expect(code).toBe(1);
  });

  test("without any line is no failure", async () => {
    const { code, stdout, stderr } = await cria(moderate("-i", await file("empty.jsonl", "\n")));
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toBe("0 safe, 0 unsafe, 0 not judged\n");
  });

  test("verdicts come while the input still does", async () => {
    const child = start(moderate("--input", "-", "--quiet"));
    child.stdin.write(`${JSON.stringify(ATTACK)}\n`);
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    expect(JSON.parse(first.toString())).toMatchObject({ line: 1, safe: false });
    child.stdin.end(`${JSON.stringify(FOOD)}\n`);
    expect(lines((await finish(child)).stdout)).toMatchObject([{ line: 2, safe: true }]);
  });

  test("a reader that leaves before the end is not told that all is safe", async () => {
    const child = start(moderate("--input", "-", "--quiet"));
    child.stdin.on("error", () => {}); // it may be gone before it has read this
    child.stdin.write(`${JSON.stringify(FOOD)}\n`);
    await once(child.stdout, "data");
    child.stdout.destroy();
    child.stdin.end(`${JSON.stringify(ATTACK)}\n`.repeat(20));
    const [code] = (await once(child, "close")) as [number | null];
    expect(code).toBe(1);
  });

  test("Ctrl-C ends it", async () => {
    const child = start(moderate("--input", "-", "--quiet"));
    child.stdin.write(`${JSON.stringify(FOOD)}\n`);
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect(await finish(child)).toMatchObject({ code: 130, stderr: "" });
  });
});

describe("the policy", () => {
  test("--threshold", async () => {
    const [low, high] = await Promise.all([
      cria(moderate(FOOD, "--threshold", "0")),
      cria(moderate(ATTACK, "--threshold", "1")),
    ]);
    expect(lines(low.stdout)).toMatchObject([{ safe: false }]);
    expect(lines(high.stdout)).toMatchObject([{ safe: true }]);
  });

  test("--exclude and --categories", async () => {
    const own = JSON.stringify([{ code: "X1", name: "Violent Crimes" }]);
    const outcomes = await Promise.all([
      cria(moderate(ATTACK, "--threshold", "0", "--exclude", "S1, S2")),
      cria(moderate(ATTACK, "--threshold", "0", "--categories", await file("own.json", own))),
    ]);
    const [without, with1] = outcomes.map(({ stdout }) => lines(stdout)[0]?.categories ?? []);
    for (const { code } of without ?? []) expect(["S1", "S2"]).not.toContain(code);
    expect(with1).toEqual([{ code: "X1", name: "Violent Crimes" }]);
  });
});

describe("wrong usage", () => {
  test.each<[string[], string]>([
    [moderate("a", "--input", "b"), "Give a text or --input, not both"],
    [moderate(), "Give a text"],
    [moderate(" "), "Give a text"],
    [moderate("a", "--variant", "llama-guard-4"), "Allowed choices are llama-guard-3-8b"],
    [moderate("a", "--threshold", "2"), "Expected a number from 0 to 1"],
    [moderate("a", "--exclude", "S99"), '"S99" [ERR_INVALID_ARGUMENT]'],
    [moderate("a", "--sequences", "0"), "Expected a whole number from 1 to 2147483647"],
  ])("%j", async (args, message) => {
    const { code, stdout, stderr } = await cria(args);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test.each<[string, string[], string]>([
    ["an input that is missing", ["--input", "none.jsonl"], "The input cannot be read: ENOENT"],
    ["categories that are missing", ["a", "--categories", "none"], "The categories cannot be read"],
    ["an input that is a directory", ["--input", "."], "EISDIR"],
  ])("%s fails", async (_, args, message) => {
    const { code, stdout, stderr } = await cria(moderate(...args));
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  });

  test("a model that is no Llama Guard 3 is refused", async () => {
    const { code, stderr } = await cria(["moderate", DEMO_MODEL, "a"]);
    expect(stderr).toContain("[ERR_UNSUPPORTED]");
    expect(code).toBe(1);
  });
});

test("--help tells the exit codes", async () => {
  const { stdout } = await cria(["moderate", "--help"]);
  expect(stdout).toContain("0 all safe, 3 something was unsafe, 1 something could not be judged");
  expect((await cria(["--help"])).stdout).toContain("3 unsafe (moderate)");
});

describe("cria chat --guard", () => {
  const chat = ["chat", DEMO_MODEL, "--temperature", "0"];
  const guard = ["--guard", DEMO_MODEL, "--guard-variant", "llama-guard-3-8b"];

  test("answers what is safe, and tells what it blocks", async () => {
    const input = `${ATTACK}\n${FOOD}\n`;
    const { code, stdout, stderr } = await cria([...chat, ...guard], input);
    expect(stdout).toBe("Llamas eat grass, hay and other plants.\n");
    expect(stderr).toContain("input blocked: S1 Violent Crimes (1.00)\n");
    expect(code).toBe(0);
  });

  test("needs a guard to know the variant of, and a model that is one", async () => {
    const variant = await cria([...chat, ...guard.slice(2)], FOOD);
    expect(variant.stderr).toContain("--guard-variant says what --guard is");
    expect(variant.code).toBe(2);
    const plain = await cria([...chat, ...guard.slice(0, 2)], FOOD);
    expect(plain.stderr).toContain("[ERR_UNSUPPORTED]");
    expect({ code: plain.code, stdout: plain.stdout }).toEqual({ code: 1, stdout: "" });
  });
});
