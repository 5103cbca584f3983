import { type Command, Option } from "commander";
import type { SpeculationOptions } from "../context/context-options.js";
import { given } from "../internal/given.js";
import type { Model } from "../model/model.js";
import { whole } from "./flags.js";
import { UsageError } from "./report-failure.js";

export interface SpeculationFlags {
  speculation?: SpeculationOptions["type"];
  draftModel?: string;
  draftTokens?: number;
}

/** As the engine has it. */
const TOKENS_MAX = 63;

export function addSpeculationFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--speculation <type>",
        "guess what comes: ngram, from what the text repeats; draft, by --draft-model",
      ).choices(["ngram", "draft"]),
    )
    .option("--draft-model <file>", "a far smaller model with the same vocabulary, which guesses")
    .option("--draft-tokens <n>", "guessed at once (default: 15)", whole(1, TOKENS_MAX));
}

/** Refuses flags that do not go together, before anything is loaded. */
export function checkSpeculation({ speculation, draftModel, draftTokens }: SpeculationFlags): void {
  if (speculation === "ngram" && draftModel !== undefined) {
    throw new UsageError(
      "--draft-model is for --speculation draft, not ngram: leave one of them out.",
    );
  }
  if (speculation === "draft" && draftModel === undefined) {
    throw new UsageError("--speculation draft needs a --draft-model, which guesses.");
  }
  if (draftTokens !== undefined && speculation === undefined && draftModel === undefined) {
    throw new UsageError("--draft-tokens needs --speculation ngram or a --draft-model.");
  }
}

/** What `createContext` takes; `draft` is the loaded --draft-model, whose owner disposes it. */
export function speculationOf(
  { speculation, draftTokens }: SpeculationFlags,
  draft: Model | undefined,
): SpeculationOptions | undefined {
  const tokens = given({ maxTokens: draftTokens });
  if (draft !== undefined) return { type: "draft", draft, ...tokens };
  return speculation === "ngram" ? { type: "ngram", ...tokens } : undefined;
}
