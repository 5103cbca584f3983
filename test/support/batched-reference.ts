import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { MODEL, program } from "./paths.js";

const PROGRAM = program("batched-reference");

/** What another order of sums may make of logits, where nothing is rounded to fewer than 32 bits. */
export const NEAR_TIE = 1e-3;

export interface BatchedReferenceOptions {
  /** Tokens that one sequence can hold. */
  readonly contextSize: number;
  readonly microBatchSize?: number;
  readonly flashAttention?: boolean;
  readonly kvCacheType?: "f16" | "f32";
  /** A file; default: the demo model. */
  readonly model?: string;
  /** Default true, as llama.cpp has it. */
  readonly swaFull?: boolean;
}

type Tokens = ArrayLike<number> & Iterable<number>;

async function ask<T>(command: string, lines: readonly string[], flags: readonly string[]) {
  const child = spawn(PROGRAM, [command, ...flags], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(lines.map((line) => `${line}\n`).join(""));
  const [answer, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (code !== 0) throw new Error(`cria-batched-reference ended with ${code}`);
  return JSON.parse(answer) as T;
}

function flagsOf(options: BatchedReferenceOptions, count: number): string[] {
  const { contextSize, microBatchSize = 512, flashAttention = true } = options;
  const { model = MODEL, kvCacheType = "f16" } = options;
  const numbers = [contextSize, microBatchSize, Number(flashAttention), count];
  const { swaFull = true } = options;
  return [model, ...numbers.map(String), kvCacheType, String(Number(swaFull))];
}

/** Greedy tokens of a plain loop that decodes all prompts together, the last token included. */
export async function decodedTogether(
  prompts: readonly Tokens[],
  maxTokens: number,
  options: BatchedReferenceOptions,
): Promise<number[][]> {
  const lines = prompts.map((prompt) => [...prompt].join(" "));
  const flags = flagsOf(options, maxTokens);
  return (await ask<{ tokens: number[][] }>("greedy", lines, flags)).tokens;
}

/** The logits behind each prompt, which a plain loop evaluates alone. */
export async function logitsBehind(
  prompts: readonly Tokens[],
  options: BatchedReferenceOptions,
): Promise<Float32Array[]> {
  const lines = prompts.map((prompt) => [...prompt].join(" "));
  const answer = await ask<{ logits: number[][] }>("logits", lines, flagsOf(options, 0));
  return answer.logits.map((logits) => Float32Array.from(logits));
}

/** For each text, how far the logit of one of its tokens is below the highest, at worst. */
export async function gaps(
  texts: readonly { readonly prompt: Tokens; readonly generated: Tokens }[],
  options: BatchedReferenceOptions,
): Promise<number[]> {
  const lines = texts.map(
    ({ prompt, generated }) => `${[...prompt].join(" ")} | ${[...generated].join(" ")}`,
  );
  return (await ask<{ gaps: number[] }>("gaps", lines, flagsOf(options, 0))).gaps;
}
