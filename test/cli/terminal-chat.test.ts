// The chat at a terminal: a pseudo-terminal by util-linux's `script`, typed into as a user would.
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEMO_MODEL } from "../support/cli.js";
import { CLI, NODE } from "../support/paths.js";

const KEYS = { enter: "\r", up: "\x1b[A", tab: "\t", end: "\x04", interrupt: "\x03" };
const ANSWER = /A baby llama is called a cria\./;
/** What the editor writes where it waits for a line. */
const PROMPT = /> .\[3G/;

class TypedChat {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown[]>;
  #screen = "";
  #seen = 0;
  #news = () => {};

  constructor(state: string) {
    const words = [NODE, CLI, "chat", DEMO_MODEL, "--temperature", "0", "--max-tokens", "60"];
    const command = words.map((word) => `'${word}'`).join(" ");
    const env = { ...process.env, XDG_STATE_HOME: state, TERM: "xterm" };
    this.#child = spawn("script", ["-qfec", command, "/dev/null"], { env });
    this.#ended = once(this.#child, "exit");
    this.#child.stdout.on("data", (piece) => {
      this.#screen += piece;
      this.#news();
    });
  }

  type(...keys: string[]): void {
    this.#child.stdin.write(keys.join(""));
  }

  /** Resolves when it is on the screen, behind what was waited for before. */
  async shows(text: RegExp): Promise<void> {
    for (;;) {
      const found = text.exec(this.#screen.slice(this.#seen));
      if (found !== null) {
        this.#seen += found.index + found[0].length;
        return;
      }
      const news = new Promise<void>((resolve) => {
        this.#news = resolve;
      });
      const over = await Promise.race([news, this.#ended]);
      if (over !== undefined) throw new Error(`It ended without ${text}: ${this.#screen}`);
    }
  }

  async ended(): Promise<unknown> {
    const [code] = await this.#ended;
    return code;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

async function typed(use: (chat: TypedChat, state: string) => Promise<void>): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), "cria-state-"));
  const chat = new TypedChat(state);
  try {
    await use(chat, state);
  } finally {
    chat.kill();
    rmSync(state, { recursive: true });
  }
}

test("a line, the same again by the arrow, one of two lines, a command by Tab; they are kept", () =>
  typed(async (chat, state) => {
    const { enter, up, tab, end } = KEYS;
    await chat.shows(PROMPT);
    chat.type("What is a baby llama called?", enter);
    await chat.shows(ANSWER);
    await chat.shows(PROMPT);
    chat.type(up);
    await chat.shows(/What is a baby llama called\?/);
    chat.type(enter);
    await chat.shows(ANSWER);
    await chat.shows(PROMPT);
    chat.type("/re", tab);
    await chat.shows(/\/reset/);
    chat.type(enter);
    await chat.shows(PROMPT);
    chat.type("What is a baby\\", enter);
    await chat.shows(/What is a baby\r\n/);
    chat.type("llama called?", enter);
    await chat.shows(ANSWER);
    await chat.shows(PROMPT);
    chat.type(end);
    expect(await chat.ended()).toBe(0);
    const kept = readFileSync(join(state, "cria", "chat-history"), "utf8");
    expect(
      kept
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(["What is a baby llama called?", "/reset", "What is a baby\nllama called?"]);
  }));

test("Ctrl-C empties a line, the next tells that another leaves, and that one does", () =>
  typed(async (chat) => {
    const { interrupt } = KEYS;
    await chat.shows(PROMPT);
    chat.type("What");
    await chat.shows(/What/);
    chat.type(interrupt);
    await chat.shows(PROMPT);
    chat.type(interrupt);
    await chat.shows(/Ctrl-C again leaves/);
    await chat.shows(PROMPT);
    chat.type(interrupt);
    expect(await chat.ended()).toBe(130);
  }));

test("an answer moves no cursor on a terminal; a program has it as it is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cria-answer-"));
  try {
    const grammar = join(folder, "escape.gbnf");
    writeFileSync(grammar, 'root ::= "\\x1B[2J done"');
    const words = [NODE, CLI, "generate", DEMO_MODEL, "Once", "--grammar", grammar, "--quiet"];
    const command = words.map((word) => `'${word}'`).join(" ");
    const onTerminal = execFileSync("script", ["-qfec", command, "/dev/null"], {
      encoding: "utf8",
      input: "",
    });
    expect(onTerminal).toContain("\\u001b[2J done");
    expect(onTerminal).not.toContain("\x1b[2J");
    expect(execFileSync(NODE, words.slice(1), { encoding: "utf8" })).toBe("\x1b[2J done\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
