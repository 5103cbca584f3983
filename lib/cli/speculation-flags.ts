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
        "guess what comes: ngram, from what the text repeats; draft, by --draft-model; eagle3, by a head in " +
          "--draft-model; mtp, by the model's own layers",
      ).choices(["ngram", "draft", "eagle3", "mtp"]),
    )
    .option(
      "--draft-model <file>",
      "a far smaller model with the same vocabulary, or a head, which guesses",
    )
    .option("--draft-tokens <n>", "guessed at once (default: 15)", whole(1, TOKENS_MAX));
}

/** Refuses flags that do not go together, before anything is loaded. */
export function checkSpeculation({ speculation, draftModel, draftTokens }: SpeculationFlags): void {
  const alone = speculation === "ngram" || speculation === "mtp";
  if (alone && draftModel !== undefined) {
    throw new UsageError(
      `--draft-model is for --speculation draft or eagle3, not ${speculation}: leave one of them out.`,
    );
  }
  if (speculation !== undefined && !alone && draftModel === undefined) {
    throw new UsageError(`--speculation ${speculation} needs a --draft-model, which guesses.`);
  }
  if (draftTokens !== undefined && speculation === undefined && draftModel === undefined) {
    throw new UsageError("--draft-tokens needs --speculation or a --draft-model.");
  }
}

/** What a model is loaded with, so that it can guess. */
export const mtpOf = ({ speculation }: SpeculationFlags) =>
  given({ mtp: speculation === "mtp" ? true : undefined });

/** What `createContext` takes; `draft` is the loaded --draft-model, whose owner disposes it. */
export function speculationOf(
  { speculation, draftTokens }: SpeculationFlags,
  draft: Model | undefined,
): SpeculationOptions | undefined {
  const tokens = given({ maxTokens: draftTokens });
  if (draft !== undefined) {
    return { type: speculation === "eagle3" ? "eagle3" : "draft", draft, ...tokens };
  }
  if (speculation === "ngram" || speculation === "mtp") return { type: speculation, ...tokens };
  return undefined;
}
