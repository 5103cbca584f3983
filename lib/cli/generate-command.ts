import { text } from "node:stream/consumers";
import type { Command } from "commander";
import type { GenerationResult } from "../generation/generation.js";
import {
  addCommonFlags,
  addContextFlags,
  addSamplingFlags,
  type CommonFlags,
  type ContextFlags,
  generateOptionsOf,
  MODEL_ARGUMENT,
  type SamplingFlags,
  samplingOf,
} from "./flags.js";
import { Interrupted, UsageError } from "./report-failure.js";
import {
  addSpeculationFlags,
  checkSpeculation,
  type SpeculationFlags,
} from "./speculation-flags.js";
import { interruptible } from "./terminal/interrupt.js";
import { summarize } from "./terminal/summary.js";
import { Terminal } from "./terminal/terminal.js";
import { withContext } from "./with-context.js";

interface GenerateFlags extends CommonFlags, ContextFlags, SamplingFlags, SpeculationFlags {
  prompt?: string;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  $ cria generate model.gguf "Once upon a time" --max-tokens 100
  $ echo "Once upon a time" | cria generate model.gguf - --json | jq -r .text
  $ cria generate model.gguf "Is a llama a camelid? " --grammar yes-or-no.gbnf --temperature 0
  $ cria generate large.gguf "Once upon a time" --draft-model small.gguf`;

export function addGenerateCommand(program: Command): void {
  const command = program
    .command("generate")
    .description("continue a text")
    .argument("<model>", MODEL_ARGUMENT)
    .argument("[prompt]", "the text to continue; - reads it from standard input")
    .option("-p, --prompt <text>", "the same as an option")
    .option("--json", "one JSON object on stdout instead of the text as it comes");
  addSamplingFlags(command);
  addContextFlags(command);
  addSpeculationFlags(command);
  addCommonFlags(command).addHelpText("after", EXAMPLES).action(generate);
}

async function generate(path: string, argument: string | undefined, flags: GenerateFlags) {
  const terminal = new Terminal(flags);
  const sampling = await samplingOf(flags);
  checkSpeculation(flags);
  const prompt = await readPrompt(argument, flags.prompt);
  await withContext(path, flags, terminal, (context) =>
    interruptible(async (signal) => {
      const generation = context.generate(prompt, {
        ...generateOptionsOf(flags, sampling),
        onProgress: (evaluated, total) => terminal.progress("reading", evaluated / total),
      });
      // Cancelled, not aborted: what was generated until then is kept and told.
      signal.addEventListener("abort", () => generation.cancel());
      if (!flags.json) {
        for await (const chunk of generation) await terminal.answer(chunk.text);
        await terminal.endLine();
      }
      const result = await generation.result();
      if (flags.json) await terminal.writeJson(toJson(result));
      terminal.note(summarize(result));
      if (signal.aborted) throw new Interrupted();
    }),
  );
}

async function readPrompt(argument: string | undefined, option: string | undefined) {
  if (argument !== undefined && option !== undefined) {
    throw new UsageError("Give the prompt once: as an argument or with --prompt.");
  }
  const given = argument ?? option;
  if (given !== undefined && given !== "-") return given;
  // The shell's tools end every text with a line break, which the model would take for its own.
  const read =
    given === undefined && process.stdin.isTTY
      ? ""
      : (await text(process.stdin)).replace(/\r?\n$/, "");
  if (given === undefined && read === "") {
    throw new UsageError("Give a prompt: as an argument, with --prompt or on standard input.");
  }
  return read;
}

function toJson(result: GenerationResult) {
  return { ...result, tokens: Array.from(result.tokens) };
}
