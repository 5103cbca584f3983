import { type Command, Option } from "commander";
import type { ChatTurn, ChatTurnResult } from "../chat/chat-turn.js";
import type { Context } from "../context/context.js";
import type { GuardOptions } from "../guard/guard-types.js";
import type { LlamaGuard } from "../guard/llama-guard.js";
import { messageOf } from "../internal/errors.js";
import { given } from "../internal/given.js";
import type { Conversation } from "./chat-conversation.js";
import {
  addCommonFlags,
  addContextFlags,
  addSamplingFlags,
  type CommonFlags,
  type ContextFlags,
  chatTemplateOption,
  GUARD_VARIANTS,
  generateOptionsOf,
  JSON_LINES,
  MODEL_ARGUMENT,
  readChatTemplate,
  type SamplingFlags,
  samplingOf,
} from "./flags.js";
import { describe, failureJson, Interrupted, UsageError } from "./report-failure.js";
import { type ChatCommand, COMMANDS_HELP, readCommand } from "./slash-commands.js";
import {
  addSpeculationFlags,
  checkSpeculation,
  type SpeculationFlags,
} from "./speculation-flags.js";
import { openChatInput } from "./terminal/chat-input.js";
import { TurnView } from "./terminal/chat-turn-view.js";
import { onInterrupt } from "./terminal/interrupt.js";
import type { LineReader } from "./terminal/line-reader.js";
import { speed, summarizeTurn } from "./terminal/summary.js";
import { Terminal } from "./terminal/terminal.js";
import { counted } from "./terminal/units.js";
import { jsonOf } from "./terminal/visible.js";
import { flagsBeside, withContext } from "./with-context.js";

interface ChatFlags extends CommonFlags, ContextFlags, SamplingFlags, SpeculationFlags {
  system?: string;
  tools?: string;
  chatTemplate?: string;
  guard?: string;
  history: boolean;
  json?: boolean;
  guardVariant?: NonNullable<GuardOptions["variant"]>;
}

const HELP =
  `A line that begins with a slash and a word is a command:\n${COMMANDS_HELP}\n` +
  "Ctrl-C stops an answer; a second one leaves, as does Ctrl-D.\n" +
  "\\ and Enter, or Alt-Enter, begin another line of the same text; pasted lines stay together.\n" +
  "Tab completes commands and files, and the arrows go through what was typed before.";

const EXAMPLES = `
Examples:
  $ cria chat model.gguf --system "Answer in one sentence."
  $ cria chat model.gguf --tools tools.mjs --guard llama-guard-3-1b.gguf
  $ echo "What is a cria?" | cria chat model.gguf --json`;

const HINT = "Ctrl-C stops an answer, /help lists the commands, /exit leaves.";

export function addChatCommand(program: Command): void {
  const command = program
    .command("chat")
    .description("talk with a model in its own chat format; each line of standard input is a turn")
    .argument("<model>", MODEL_ARGUMENT)
    .option("-s, --system <text>", "the system message")
    .option("--tools <file>", "a module that exports tools, which the model may call")
    .addOption(chatTemplateOption())
    .option("--guard <model>", "a Llama Guard 3 that judges what you and the model say")
    .addOption(
      new Option(
        "--guard-variant <variant>",
        "which one it is, where its file does not tell",
      ).choices(GUARD_VARIANTS),
    );
  command
    .option("--no-history", "do not remember what is typed for the next chat")
    .option("--json", JSON_LINES);
  addSamplingFlags(command);
  addContextFlags(command);
  addSpeculationFlags(command);
  addCommonFlags(command).addHelpText("after", `\n${HELP}\n${EXAMPLES}`).action(chat);
}

async function chat(path: string, flags: ChatFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const { guard: guardPath, guardVariant: variant, json = false, history } = flags;
  if (variant !== undefined && guardPath === undefined) {
    throw new UsageError("--guard-variant says what --guard is: give that, too.");
  }
  if (flags.tools !== undefined && flags.grammar !== undefined) {
    throw new UsageError("Give --tools or --grammar: calls have a grammar of their own.");
  }
  checkSpeculation(flags);
  const { Conversation } = await import("./chat-conversation.js");
  const { loadTools } = await import("./chat-tools.js");
  const sampling = await samplingOf(flags);
  const tools = flags.tools === undefined ? [] : await loadTools(flags.tools);
  const chatTemplate = await readChatTemplate(flags);
  const talk = async (context: Context, guard?: LlamaGuard) => {
    const generate = generateOptionsOf(flags, sampling);
    const asked = { generate, tools, system: flags.system, chatTemplate, guard };
    const conversation = await Conversation.open(context, asked);
    return new Chat({ conversation, terminal, json, history }).run();
  };
  if (guardPath === undefined) return withContext(path, flags, terminal, (own) => talk(own));
  await withContext(guardPath, flagsBeside(flags), terminal, async (context) => {
    const { LlamaGuard } = await import("../guard/llama-guard.js");
    const guard = new LlamaGuard(context, given({ variant }));
    return withContext(path, flags, terminal, (own) => talk(own, guard));
  });
}

/** What the commands of a chat need of its flags. */
interface ChatOptions {
  readonly conversation: Conversation;
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly history: boolean;
}

/** Carries out the texts of a person, or the lines of a pipe, one after the other. */
class Chat {
  readonly #conversation: Conversation;
  readonly #terminal: Terminal;
  readonly #json: boolean;
  readonly #history: boolean;
  #running: ChatTurn | null = null;
  /** Ctrl-C was pressed, and nothing was said since. */
  #interrupts = false;
  #end: "exit" | "interrupt" | null = null;
  readonly #total = { answers: 0, tokens: 0, milliseconds: 0 };

  constructor({ conversation, terminal, json, history }: ChatOptions) {
    this.#conversation = conversation;
    this.#terminal = terminal;
    this.#json = json;
    this.#history = history;
  }

  async run(): Promise<void> {
    const { interactive } = this.#terminal;
    const input = await openChatInput({ interactive, history: this.#history });
    const { lines } = input;
    const interrupt = () => this.#interrupt(lines);
    lines.onInterrupt(interrupt);
    const release = onInterrupt(interrupt);
    try {
      if (interactive) this.#terminal.note(HINT);
      while (this.#end === null) {
        const text = await lines.read();
        if (text === null) break;
        this.#interrupts = false;
        await (interactive ? this.#attended(text) : this.#do(text));
      }
    } finally {
      release();
      const problem = await input.close();
      if (problem !== undefined) {
        this.#terminal.note(`The history of this chat was not kept: ${messageOf(problem)}`);
      }
    }
    if (this.#end === "interrupt") throw new Interrupted();
    if (!interactive) this.#terminal.note(this.#summary());
  }

  /**
   * Ctrl-C stops the answer of a person's chat, and a second one leaves; in a script the first one ends the
   * chat.
   */
  #interrupt(lines: LineReader): void {
    const { interactive } = this.#terminal;
    const again = this.#interrupts;
    this.#interrupts = true;
    const running = this.#running;
    running?.cancel();
    if (interactive && !again) {
      if (running === null) lines.note("Ctrl-C again leaves, as does /exit.");
      return;
    }
    this.#end = "interrupt";
    lines.close();
  }

  /** With a person at the terminal, a failure is reported and the chat goes on. */
  async #attended(text: string): Promise<void> {
    try {
      await this.#do(text);
    } catch (error) {
      await this.#terminal.endLine();
      this.#terminal.clearProgress();
      process.stderr.write(`${this.#json ? jsonOf(failureJson(error)) : describe(error)}\n`);
    }
  }

  async #do(line: string): Promise<void> {
    const command = readCommand(line);
    if (command !== null) await this.#command(command);
    else if (line.trim() !== "") await this.#turn(line.trim());
  }

  async #command({ name, file }: ChatCommand): Promise<void> {
    switch (name) {
      case "reset":
        return this.#conversation.reset();
      case "tools":
        return this.#listTools();
      case "save":
        return this.#terminal.note(
          `saved: ${counted(await this.#conversation.save(file), "message")}`,
        );
      case "load":
        return this.#terminal.note(
          `loaded: ${counted(await this.#conversation.load(file), "message")}`,
        );
      case "help":
        return this.#terminal.write(`${HELP}\n`);
      case "exit":
        this.#end = "exit";
    }
  }

  async #listTools(): Promise<void> {
    const { tools } = this.#conversation;
    const { describeTool } = await import("./chat-tools.js");
    if (tools.length === 0) this.#terminal.note("No tools: --tools FILE gives the model some.");
    for (const tool of tools) await this.#terminal.write(`${describeTool(tool)}\n`);
  }

  async #turn(input: string): Promise<void> {
    const view = new TurnView(this.#terminal);
    const turn = this.#conversation.send(input, view.reading);
    this.#running = turn;
    try {
      if (!this.#json) for await (const event of turn) await view.show(event);
      await turn.result();
      await this.#terminal.endLine();
    } finally {
      this.#running = null;
    }
    const result = await turn.result();
    if (this.#json) await this.#tell(result);
    if (this.#terminal.interactive) this.#terminal.note(summarizeTurn(result, view.writingMs));
    this.#total.answers += 1;
    this.#total.tokens += result.usage.completionTokens;
    this.#total.milliseconds += view.writingMs;
  }

  /** Without the messages: what was said is known to who said it. */
  async #tell({ messages: _, ...result }: ChatTurnResult): Promise<void> {
    await this.#terminal.writeJsonLine(result);
  }

  #summary(): string {
    const { answers, tokens, milliseconds } = this.#total;
    const time = `${Math.round(milliseconds)} ms (${speed(tokens, milliseconds)})`;
    return `${counted(answers, "answer")}, ${tokens} tokens in ${time}`;
  }
}
