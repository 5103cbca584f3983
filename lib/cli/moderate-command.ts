import { open, readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type Command, Option } from "commander";
import type { GuardCategory, GuardOptions, GuardVerdict } from "../guard/guard-types.js";
import type { GuardConversation, LlamaGuard } from "../guard/llama-guard.js";
import { CriaError, messageOf } from "../internal/errors.js";
import { given } from "../internal/given.js";
import { linesOf, utf8 } from "../internal/lines.js";
import {
  addCommonFlags,
  addContextFlags,
  type CommonFlags,
  type ContextFlags,
  GUARD_VARIANTS,
  number,
  whole,
} from "./flags.js";
import { type BadLine, type Entry, type Label, readEntry } from "./moderate-input.js";
import { EXIT, reading, UsageError } from "./report-failure.js";
import { interruptible } from "./terminal/interrupt.js";
import { Terminal } from "./terminal/terminal.js";
import { withContext } from "./with-context.js";

interface ModerateFlags extends CommonFlags, ContextFlags {
  input?: string;
  variant?: NonNullable<GuardOptions["variant"]>;
  threshold?: number;
  exclude?: string[];
  categories?: string;
  sequences: number;
  json?: boolean;
}

interface Source {
  readonly entries: AsyncIterable<Entry | BadLine>;
  /** An open input would keep the program alive. */
  close(): void;
}

const HELP = `Without a text or --input it judges standard input, all of it as one message.

A line of JSONL is a text, {"text": …}, {"messages": […]} or an array of messages, whose last one is
judged; an "id" comes back with the verdict. Verdicts are JSON, a line each, in the order in which they
are there; "line" counts from 1. What could not be judged has an "error" instead.

Exit codes: 0 all safe, 3 something was unsafe, 1 something could not be judged (whatever else was found).

Examples:
  $ cria moderate llama-guard-3-1b.gguf "How do I build a bomb?"
  $ cria moderate llama-guard-3-1b.gguf --input messages.jsonl --threshold 0.3 > verdicts.jsonl`;

export function addModerateCommand(program: Command): void {
  const command = program
    .command("moderate")
    .description("judge messages with Llama Guard 3")
    .argument("<model>", "a GGUF file of a Llama Guard 3, hf:user/repo:Q4_K_M or a URL")
    .argument("[text]", "a user's message; - reads it from standard input")
    .option("-i, --input <file>", "JSONL with a conversation in each line; - reads standard input")
    .addOption(
      new Option(
        "--variant <variant>",
        "which Llama Guard 3 it is, where its file does not tell",
      ).choices(GUARD_VARIANTS),
    )
    .option("--threshold <p>", "unsafe from this P(unsafe) on (default: 0.5)", number(1))
    .addOption(
      new Option("--exclude <codes>", "categories that are not judged, such as S5,S6").argParser(
        (text: string) => text.split(",").map((code) => code.trim()),
      ),
    )
    .option("--categories <file>", "a JSON array of { code, name, description? } instead of Meta's")
    .option("--sequences <n>", "judge so many at once", whole(1), 4)
    .option("--json", "verdicts are JSON in any case; what fails is, too, with code and message");
  addContextFlags(command);
  addCommonFlags(command).addHelpText("after", `\n${HELP}`).action(moderate);
}

async function moderate(path: string, argument: string | undefined, flags: ModerateFlags) {
  // However the program ends before all is judged: 0 would say that everything is safe.
  process.exitCode = EXIT.failed;
  const terminal = new Terminal(flags);
  if (argument !== undefined && flags.input !== undefined) {
    throw new UsageError("Give a text or --input, not both.");
  }
  const { categories: file } = flags;
  const categories = file === undefined ? undefined : await readCategories(file);
  const { variant, exclude, threshold } = flags;
  const options: GuardOptions = given({ variant, exclude, threshold, categories });
  const { readGuardOptions } = await import("../guard/guard-policy.js");
  const { LlamaGuard } = await import("../guard/llama-guard.js");
  readGuardOptions(options); // what is wrong whatever the model is
  const source = flags.input === undefined ? await single(argument) : await jsonl(flags.input);
  const sequences = flags.input === undefined ? 1 : flags.sequences;
  await withContext(path, { ...flags, sequences }, terminal, async (context) => {
    const guard = new LlamaGuard(context, options);
    await interruptible((signal) => new Moderating(guard, terminal).run(source, signal));
  }).finally(() => source.close());
}

/** One run over a source. */
class Moderating {
  readonly #guard: LlamaGuard;
  readonly #terminal: Terminal;
  readonly #labels = new Map<number, Label>();
  readonly #count = { safe: 0, unsafe: 0, failed: 0 };

  constructor(guard: LlamaGuard, terminal: Terminal) {
    this.#guard = guard;
    this.#terminal = terminal;
  }

  async run(source: Source, signal: AbortSignal): Promise<void> {
    for await (const result of this.#guard.moderateMany(this.#conversations(source), { signal })) {
      const label = this.#labels.get(result.index) ?? {};
      this.#labels.delete(result.index);
      if (result.verdict === undefined) await this.#fail(label, result.error);
      else await this.#tell(label, result.verdict);
    }
    const { safe, unsafe, failed } = this.#count;
    this.#terminal.note(`${safe} safe, ${unsafe} unsafe, ${failed} not judged`);
    if (failed > 0) throw new Error(`${failed} of ${safe + unsafe + failed} could not be judged`);
    process.exitCode = unsafe > 0 ? EXIT.unsafe : EXIT.ok;
  }

  /** Reads no further ahead than what is judged: a source may not fit in memory. */
  async *#conversations(source: Source): AsyncGenerator<GuardConversation> {
    let index = 0;
    for await (const entry of source.entries) {
      if ("problem" in entry) {
        await this.#fail(entry.label, new Error(`Line ${entry.label.line}: ${entry.problem}`));
        continue;
      }
      this.#labels.set(index++, entry.label);
      yield entry.conversation;
    }
  }

  async #tell(label: Label, verdict: GuardVerdict): Promise<void> {
    const { safe, score, categories, unknownCodes, judged } = verdict;
    this.#count[safe ? "safe" : "unsafe"] += 1;
    await this.#write({ ...label, safe, score, categories, unknownCodes, judged });
  }

  async #fail(label: Label, error: unknown): Promise<void> {
    this.#count.failed += 1;
    const message = messageOf(error);
    const code = CriaError.is(error) ? { code: error.code } : {};
    await this.#write({ ...label, error: { ...code, message } });
  }

  async #write(value: object): Promise<void> {
    await this.#terminal.writeJsonLine(value);
    const { safe, unsafe, failed } = this.#count;
    this.#terminal.count("judged", safe + unsafe + failed);
  }
}

async function single(argument: string | undefined): Promise<Source> {
  const conversation =
    argument !== undefined && argument !== "-"
      ? argument
      : argument === undefined && process.stdin.isTTY
        ? ""
        : await standardInput();
  if (conversation.trim() === "") {
    throw new UsageError("Give a text: as an argument, on standard input or in --input.");
  }
  const entries = (async function* () {
    yield { label: {}, conversation };
  })();
  return { entries, close: () => {} };
}

/** Text that is not UTF-8 would be judged as another text than its readers see. */
async function standardInput(): Promise<string> {
  const text = utf8(await buffer(process.stdin));
  if (text === undefined) throw new Error("Standard input is no UTF-8: convert it first.");
  return text.replace(/^\uFEFF/, "");
}

/** Opens the file at once, so that a missing one is reported before the model is loaded. */
async function jsonl(file: string): Promise<Source> {
  const stream: Readable =
    file === "-" ? process.stdin : (await reading("input", () => open(file))).createReadStream();
  const entries = (async function* () {
    for await (const line of linesOf(stream)) yield readEntry(line);
  })();
  return { entries, close: () => stream.destroy() };
}

function readCategories(file: string): Promise<GuardCategory[]> {
  return reading("categories", async () => JSON.parse(await readFile(file, "utf8")));
}
