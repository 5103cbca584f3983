import { type Command, Option } from "commander";
import type { Context } from "../context/context.js";
import type { EmbedResult, Pooling } from "../embedding/embed.js";
import { given } from "../internal/given.js";
import {
  addCommonFlags,
  addContextFlags,
  type CommonFlags,
  type ContextFlags,
  JSON_LINES,
} from "./flags.js";
import { failureJson } from "./report-failure.js";
import { interruptible } from "./terminal/interrupt.js";
import { Terminal } from "./terminal/terminal.js";
import { counted } from "./terminal/units.js";
import { openTexts, type SourceText } from "./text-source.js";
import { withContext } from "./with-context.js";

interface EmbedFlags extends CommonFlags, ContextFlags {
  input?: string;
  pooling?: Exclude<Pooling, "rank">;
  normalize?: boolean;
  json?: boolean;
}

const HELP = `
Vectors come in the order of the texts, a JSON object a line: {"index", "line", "tokens", "embedding"};
"index" counts the texts from 0, "line" the lines of the input from 1. What could not be embedded has an
"error" with code and message instead, and the exit code is 1.

Examples:
  $ cria embed nomic-embed.gguf "A baby llama is a cria." "Llamas hum."
  $ cria embed nomic-embed.gguf --input sentences.txt > vectors.jsonl
  $ cut -f2 table.tsv | cria embed nomic-embed.gguf --pooling cls --no-normalize | jq .embedding`;

export function addEmbedCommand(program: Command): void {
  const command = program
    .command("embed")
    .description("turn texts into vectors, as JSON lines")
    .argument("<model>", "a GGUF file (of a split model the first part)")
    .argument("[text...]", "texts; without any, or as -, each line of standard input is one")
    .option("-i, --input <file>", "a file, each line of which is a text; - is standard input")
    .addOption(
      new Option(
        "--pooling <name>",
        "how tokens' vectors become one; none keeps each (default: as the file says, else mean)",
      ).choices(["mean", "cls", "last", "none"]),
    )
    .option("--normalize", "scale vectors to length 1, which is the default")
    .option("--no-normalize", "leave vectors as the model makes them")
    .option("--json", JSON_LINES);
  addContextFlags(command);
  addCommonFlags(command).addHelpText("after", HELP).action(embed);
}

async function embed(path: string, texts: readonly string[], flags: EmbedFlags): Promise<void> {
  const terminal = new Terminal(flags);
  const source = await openTexts(texts, flags.input, "texts");
  const own = { ...flags, embeddings: true };
  await withContext(path, own, terminal, (context) =>
    interruptible((signal) =>
      new Embedding(context, terminal).run(source.texts, {
        signal,
        ...given({ normalize: flags.normalize }),
      }),
    ),
  ).finally(() => source.close());
}

/** One run over a source. */
class Embedding {
  readonly #context: Context;
  readonly #terminal: Terminal;
  /** Of texts that are under way, by index. */
  readonly #lines = new Map<number, number | undefined>();
  /** Done, but behind one that is not. */
  readonly #waiting = new Map<number, object>();
  #next = 0;
  #index = 0;
  readonly #count = { done: 0, failed: 0, tokens: 0 };

  constructor(context: Context, terminal: Terminal) {
    this.#context = context;
    this.#terminal = terminal;
  }

  async run(
    source: AsyncIterable<SourceText>,
    options: { normalize?: boolean; signal: AbortSignal },
  ): Promise<void> {
    const began = performance.now();
    const indexes: number[] = [];
    const texts = this.#readable(source, indexes);
    for await (const result of this.#context.embedMany(texts, options)) {
      await this.#tell(indexes[result.index] as number, this.#outcome(result));
    }
    this.#terminal.clearProgress();
    const { done, failed, tokens } = this.#count;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    this.#terminal.note(`${counted(done, "text")}, ${tokens} tokens in ${seconds} s`);
    if (failed > 0) throw new Error(`${failed} of ${done} texts could not be embedded`);
  }

  /** Lines that cannot be read are told at their place; the others get indexes of their own. */
  async *#readable(source: AsyncIterable<SourceText>, indexes: number[]): AsyncGenerator<string> {
    for await (const { text, line, problem } of source) {
      const index = this.#index++;
      this.#lines.set(index, line);
      if (problem === undefined) {
        indexes.push(index);
        yield text;
      } else {
        const error = failureJson(new Error(`Line ${line}: ${problem}`));
        await this.#tell(index, { error });
      }
    }
  }

  #outcome({ embedding, tokens, error }: EmbedResult): object {
    if (embedding === undefined) return { error: failureJson(error) };
    this.#count.tokens += tokens;
    const width = this.#context.model.embeddingLength;
    const vector = this.#context.pooling === "none" ? rows(embedding, width) : numbers(embedding);
    return { tokens, embedding: vector };
  }

  async #tell(index: number, outcome: object): Promise<void> {
    this.#count.done += 1;
    if ("error" in outcome) this.#count.failed += 1;
    this.#waiting.set(index, outcome);
    for (;;) {
      const next = this.#waiting.get(this.#next);
      if (next === undefined) break;
      const line = this.#lines.get(this.#next);
      this.#lines.delete(this.#next);
      this.#waiting.delete(this.#next);
      const told = { index: this.#next, ...given({ line }), ...next };
      this.#next += 1;
      await this.#terminal.writeJsonLine(told);
    }
    this.#terminal.count("embedded", this.#count.done);
  }
}

/** Nine digits tell any two numbers of 32 bits apart. */
function numbers(vector: Float32Array): number[] {
  return Array.from(vector, (value) => Number(value.toPrecision(9)));
}

function rows(vectors: Float32Array, width: number): number[][] {
  return Array.from({ length: vectors.length / width }, (_, row) =>
    numbers(vectors.subarray(row * width, (row + 1) * width)),
  );
}
