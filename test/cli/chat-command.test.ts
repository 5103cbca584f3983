import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cria, DEMO_MODEL, finish, start } from "../support/cli.js";

const GREEDY = ["--temperature", "0", "--max-tokens", "60", "--quiet"];
const chat = (lines: string[], ...args: string[]) =>
  cria(["chat", DEMO_MODEL, ...GREEDY, ...args], `${lines.join("\n")}\n`);

describe("cria chat", () => {
  test("answers each line of standard input", async () => {
    const { code, stdout, stderr } = await chat([
      "What is a baby llama called?",
      "",
      "/exit",
      "no",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe("A baby llama is called a cria.\n");
  });

  test("a line ends with a line feed alone", async () => {
    const separators = ["\u2028", "\u2029", "\u0085", "\v", "\f", "\r"];
    const lines = separators.map((one) => `Say${one}hello.`);
    const args = ["chat", DEMO_MODEL, "--threads", "1", "--max-tokens", "1"];
    const { code, stderr } = await cria(args, `${lines.join("\n")}\r\n/save a\u2028/b.json\n`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^cria: The conversation cannot be written: .*a\\u2028/);
    expect((await cria(args, lines.join("\n"))).stderr).toMatch(/^6 answers, 6 tokens/);
  });

  test("remembers earlier turns until /reset", async () => {
    const { code, stdout } = await chat([
      "My llama is called Luna.",
      "What is my llama called?",
      "/reset",
      "What is my llama called?",
    ]);
    const [, remembered, forgotten] = stdout.trimEnd().split("\n");
    expect(code).toBe(0);
    expect(remembered).toBe("Your llama is called Luna.");
    expect(forgotten).not.toContain("Luna");
  });

  test("sums up on stderr, unless quiet", async () => {
    const args = ["chat", DEMO_MODEL, "--max-tokens", "5"];
    const { stderr } = await cria(args, "Hello\nHello again\n");
    expect(stderr).toMatch(/^2 answers, \d+ tokens in \d+ ms \([\d.]+ tokens\/s\)\n$/);
  });

  test("--system is read by the model", async () => {
    const question = "What is a baby llama called?";
    const usage = async (...args: string[]) => {
      const child = await cria(["chat", DEMO_MODEL, "--context-size", "256", ...args], question);
      return child.stderr;
    };
    expect(await usage("--system", "Be kind. ".repeat(400))).toContain("[ERR_CONTEXT_FULL]");
    expect(await usage()).not.toContain("ERR_");
  });

  test("--chat-template replaces the model's own; a broken one is told before any answer", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cria-chat-"));
    const file = join(folder, "chat.jinja");
    const asked = (...args: string[]) => chat(["Hi"], "--chat-template", file, ...args);
    writeFileSync(file, "\ufeff{{ messages[-1].content }}");
    const continued = await asked();
    const plain = await cria(["generate", DEMO_MODEL, ...GREEDY, "Hi"]);
    expect(continued).toEqual({ ...plain, stdout: plain.stdout });
    writeFileSync(file, "{% for %}");
    expect(await asked()).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("[ERR_TEMPLATE]"),
    });
    writeFileSync(file, "");
    expect(await asked()).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("for --chat-template"),
    });
    rmSync(folder, { recursive: true });
    const missing = await asked();
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("chat template cannot be read: ENOENT"),
    });
  });

  test("a failed turn of a script fails the script", async () => {
    const { code, stderr } = await chat(["llama ".repeat(2000)], "--context-size", "256");
    expect(stderr).toContain("[ERR_CONTEXT_FULL]");
    expect(code).toBe(1);
  });

  test.each([
    ["during an answer", /^./],
    ["after an answer", /\n$/],
  ])("Ctrl-C %s ends a script's chat with 130", async (_, moment) => {
    const child = start(["chat", DEMO_MODEL, ...GREEDY]);
    const outcome = finish(child);
    child.stdin.write("What is a baby llama called?\n");
    let seen = "";
    child.stdout.on("data", (piece) => {
      seen += piece;
      if (moment.test(seen)) child.kill("SIGINT");
    });
    const { code, signal, stderr } = await outcome;
    expect({ code, signal, stderr }).toEqual({ code: 130, signal: null, stderr: "" });
  });
});
