import type { Command } from "commander";
import { CriaError } from "../internal/errors.js";
import { given } from "../internal/given.js";
import {
  addCommonFlags,
  addContextFlags,
  type CommonFlags,
  type ContextFlags,
  whole,
} from "./flags.js";
import { UsageError } from "./report-failure.js";
import { interruptible } from "./terminal/interrupt.js";
import { Terminal } from "./terminal/terminal.js";
import { visible } from "./terminal/visible.js";
import { openTexts, type SourceText } from "./text-source.js";
import { withContext } from "./with-context.js";

interface RankFlags extends CommonFlags, ContextFlags {
  input?: string;
  top?: number;
  json?: boolean;
}

interface Ranked {
  /** From 0, as the documents were given. */
  readonly index: number;
  readonly line?: number;
  readonly score: number;
  readonly document: string;
}

const HELP = `
The model has to be a reranker, such as bge-reranker: with a classifier that scores a pair of texts. Higher
scores fit better; what they mean beyond that is the model's own affair.

Examples:
  $ cria rank bge-reranker.gguf "What is a baby llama called?" "It is a cria." "Llamas hum."
  $ cria rank bge-reranker.gguf "baby llama" --input sentences.txt --top 5
  $ grep -rh llama notes/ | cria rank bge-reranker.gguf "baby llama" --json | jq '.results[0]'`;

export function addRankCommand(program: Command): void {
  const command = program
    .command("rank")
    .description("order documents by how well they fit a query")
    .argument("<model>", "a GGUF file of a reranker")
    .argument("<query>", "what they are to fit")
    .argument(
      "[document...]",
      "documents; without any, or as -, each line of standard input is one",
    )
    .option("-i, --input <file>", "a file, each line of which is a document; - is standard input")
    .option("--top <n>", "only the best n", whole(1))
    .option("--json", "one JSON object");
  addContextFlags(command);
  addCommonFlags(command).addHelpText("after", HELP).action(rank);
}

async function rank(
  path: string,
  query: string,
  documents: readonly string[],
  flags: RankFlags,
): Promise<void> {
  const terminal = new Terminal(flags);
  const all = await readAll(documents, flags.input);
  const own = { ...flags, embeddings: true, pooling: "rank" } as const;
  const scores = await withContext(path, own, terminal, (context) =>
    interruptible((signal) =>
      context.rank(
        query,
        all.map(({ text }) => text),
        { signal },
      ),
    ),
  ).catch((error) => {
    throw noReranker(error, path);
  });
  const ranked = best(all, scores).slice(0, flags.top);
  if (flags.json) await terminal.writeJson({ query, results: ranked });
  else await terminal.write(table(ranked));
}

/** The library's words name its own option. */
function noReranker(error: unknown, path: string): unknown {
  if (!CriaError.is(error) || !error.message.includes("no classifier that ranks")) return error;
  const message =
    `${path} is no reranker: expected a model with a classifier that scores a pair of texts, such as ` +
    "bge-reranker. `cria embed` gives vectors of other models, to be compared";
  return new CriaError(error.code, message, { cause: error });
}

async function readAll(documents: readonly string[], file: string | undefined) {
  const source = await openTexts(documents, file, "documents");
  const all: SourceText[] = [];
  try {
    for await (const one of source.texts) {
      if (one.problem !== undefined) throw new Error(`Line ${one.line}: ${one.problem}`);
      all.push(one);
    }
  } finally {
    source.close();
  }
  if (all.length === 0) throw new UsageError("There is no document: expected one on each line.");
  return all;
}

/** Of equal scores the first given one is first. */
function best(documents: readonly SourceText[], scores: Float32Array): Ranked[] {
  return documents
    .map(({ text, line }, index) => {
      const score = Number((scores[index] as number).toPrecision(9));
      return { index, ...given({ line }), score, document: text };
    })
    .sort((a, b) => b.score - a.score);
}

/** A document that is longer than the terminal is wide is cut, so that rows stay rows. */
function table(ranked: readonly Ranked[]): string {
  const score = (value: number) => value.toFixed(4);
  const place = ({ index, line }: Ranked) => String(line ?? index + 1);
  const widths = [
    Math.max("score".length, ...ranked.map((one) => score(one.score).length)),
    Math.max("line".length, ...ranked.map((one) => place(one).length)),
  ] as const;
  const row = (cells: readonly [string, string, string]) =>
    `${cells[0].padStart(widths[0])}  ${cells[1].padStart(widths[1])}  ${cells[2]}`;
  const columns = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
  const room = Math.max(20, columns - widths[0] - widths[1] - 4);
  const shown = (text: string) => {
    const line = visible(text);
    return line.length <= room ? line : `${line.slice(0, room - 1)}…`;
  };
  const head = ranked.some(({ line }) => line !== undefined) ? "line" : "no.";
  const rows = [
    row(["score", head, "document"]),
    ...ranked.map((one) => row([score(one.score), place(one), shown(one.document)])),
  ];
  return `${rows.join("\n")}\n`;
}
