import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import type { ChatMessage } from "../chat/messages.js";
import { renderChat } from "../chat/render.js";
import type { Context } from "../context.js";
import type { GenerateOptions, Generation, GenerationResult } from "../generation.js";
import type { Model } from "../model.js";
import { describe, Interrupted } from "./failure.js";
import {
  addCommonFlags,
  addContextFlags,
  addSamplingFlags,
  type CommonFlags,
  type ContextFlags,
  generateOptionsOf,
  type SamplingFlags,
  samplingOf,
} from "./flags.js";
import { onInterrupt } from "./interrupt.js";
import { withContext } from "./open.js";
import { speed, summarize } from "./summary.js";
import { Terminal } from "./terminal.js";

interface ChatFlags extends CommonFlags, ContextFlags, SamplingFlags {
  system?: string;
}

const HELP = "/reset forgets the conversation, /exit leaves, Ctrl-C stops an answer.";

export function addChatCommand(program: Command): void {
  const command = program
    .command("chat")
    .description("talk with a model in its own chat format; each line of standard input is a turn")
    .argument("<model>", "a GGUF file (of a split model the first part)")
    .option("-s, --system <text>", "the system message");
  addSamplingFlags(command);
  addContextFlags(command);
  addCommonFlags(command)
    .addHelpText("after", `\n${HELP}`)
    .action(async (path: string, flags: ChatFlags) => {
      const terminal = new Terminal(flags);
      const sampling = await samplingOf(flags);
      await withContext(path, flags, terminal, (context) => {
        checkFormat(context.model);
        const options = generateOptionsOf(flags, sampling, context.model);
        return new Chat(context, terminal, options, flags.system).run();
      });
    });
}

/** Before anybody waits for an answer: a model that cannot chat. */
function checkFormat(model: Model): void {
  renderChat([{ role: "user", content: "Hello" }], { model });
}

class Chat {
  readonly #context: Context;
  readonly #terminal: Terminal;
  readonly #options: GenerateOptions;
  readonly #system: readonly ChatMessage[];
  #history: readonly ChatMessage[] = [];
  #running: Generation | null = null;
  #ended = false;
  readonly #total = { answers: 0, tokens: 0, milliseconds: 0 };

  constructor(context: Context, terminal: Terminal, options: GenerateOptions, system?: string) {
    this.#context = context;
    this.#terminal = terminal;
    this.#options = options;
    this.#system = system === undefined ? [] : [{ role: "system", content: system }];
  }

  async run(): Promise<void> {
    const { interactive } = this.#terminal;
    // The prompt and the keys' echo are no answers: they stay off stdout.
    const lines = createInterface({
      input: process.stdin,
      ...(interactive && { output: process.stderr }),
      terminal: interactive,
      prompt: "> ",
    });
    const interrupt = () => this.#interrupt(lines);
    lines.on("SIGINT", interrupt);
    const release = onInterrupt(interrupt);
    try {
      if (interactive) {
        this.#terminal.note(HELP);
        lines.prompt();
      }
      for await (const line of lines) {
        const input = line.trim();
        if (input === "/exit") break;
        if (input === "/reset") this.#history = [];
        else if (input !== "")
          await (interactive ? this.#attended(input, lines) : this.#turn(input));
        if (this.#ended) break;
        if (interactive) lines.prompt();
      }
    } finally {
      release();
      lines.close();
    }
    if (this.#ended) throw new Interrupted();
    if (!interactive) this.#terminal.note(this.#summary());
  }

  /** A person's first Ctrl-C stops the answer; one without an answer, or a script's, ends the chat. */
  #interrupt(lines: Interface): void {
    const running = this.#running;
    this.#running = null;
    running?.cancel();
    if (running && this.#terminal.interactive) return;
    this.#ended = true;
    lines.close();
  }

  /** With a person there: a failed turn is told and undone, and the chat goes on. */
  async #attended(input: string, lines: Interface): Promise<void> {
    // The terminal takes its keys back while the answer comes: no echo in the midst of it.
    lines.pause();
    process.stdin.setRawMode(false);
    try {
      this.#terminal.note(summarize(await this.#turn(input)));
    } catch (error) {
      this.#terminal.clearProgress();
      process.stderr.write(`${describe(error)}\n`);
    } finally {
      if (!this.#ended) process.stdin.setRawMode(true);
    }
  }

  async #turn(input: string): Promise<GenerationResult> {
    const messages: ChatMessage[] = [...this.#history, { role: "user", content: input }];
    const { model } = this.#context;
    const prompt = renderChat([...this.#system, ...messages], { model });
    const generation = this.#context.generate(prompt, {
      ...this.#options,
      onProgress: (evaluated, total) => this.#terminal.progress("reading", evaluated / total),
    });
    this.#running = generation;
    try {
      for await (const chunk of generation) await this.#terminal.write(chunk.text);
      await this.#terminal.endLine();
    } finally {
      this.#running = null;
    }
    const result = await generation.result();
    // What was shown is what was said, also where the answer was cut short.
    if (result.text !== "") {
      this.#history = [...messages, { role: "assistant", content: result.text }];
    }
    this.#total.answers += 1;
    this.#total.tokens += result.usage.completionTokens;
    this.#total.milliseconds += result.timings.generationMs;
    return result;
  }

  #summary(): string {
    const { answers, tokens, milliseconds } = this.#total;
    const time = `${Math.round(milliseconds)} ms (${speed(tokens, milliseconds)})`;
    return `${answers} ${answers === 1 ? "answer" : "answers"}, ${tokens} tokens in ${time}`;
  }
}
