import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { MODEL, program } from "./paths.js";

const PROGRAM = program("batched-reference");

/** Two candidates no further apart may change places when they are computed in another order. */
export const NEAR_TIE = 0.25;

export interface BatchedReferenceOptions {
  /** Tokens that one sequence can hold. */
  readonly contextSize: number;
  readonly microBatchSize?: number;
  readonly flashAttention?: boolean;
}

type Tokens = ArrayLike<number> & Iterable<number>;

async function ask<T>(command: string, lines: readonly string[], numbers: readonly number[]) {
  const child = spawn(PROGRAM, [command, MODEL, ...numbers.map(String)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(lines.map((line) => `${line}\n`).join(""));
  const [answer, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (code !== 0) throw new Error(`cria-batched-reference ended with ${code}`);
  return JSON.parse(answer) as T;
}

function numbersOf(options: BatchedReferenceOptions) {
  const { contextSize, microBatchSize = 512, flashAttention = true } = options;
  return [contextSize, microBatchSize, Number(flashAttention)];
}

/** Greedy tokens of a plain loop that decodes all prompts together, the last token included. */
export async function decodedTogether(
  prompts: readonly Tokens[],
  maxTokens: number,
  options: BatchedReferenceOptions,
): Promise<number[][]> {
  const lines = prompts.map((prompt) => [...prompt].join(" "));
  const numbers = [...numbersOf(options), maxTokens];
  return (await ask<{ tokens: number[][] }>("greedy", lines, numbers)).tokens;
}

/** For each text, how far the logit of one of its tokens is below the highest, at worst. */
export async function gaps(
  texts: readonly { readonly prompt: Tokens; readonly generated: Tokens }[],
  options: BatchedReferenceOptions,
): Promise<number[]> {
  const lines = texts.map(
    ({ prompt, generated }) => `${[...prompt].join(" ")} | ${[...generated].join(" ")}`,
  );
  return (await ask<{ gaps: number[] }>("gaps", lines, [...numbersOf(options), 0])).gaps;
}
