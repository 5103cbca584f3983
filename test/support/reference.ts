import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { MODEL, program } from "./paths.js";

/**
 * How far numbers may be from those of other batches. A GPU has another kernel for each number of rows, and multiplies
 * in 16 bits: there `onGpu`, for logits 0.5 (0.27 were seen by npm run test:vulkan).
 */
export const within = (onCpu: number, onGpu = 0.5): number =>
  process.env.CRIA_TEST_BACKEND === "vulkan" ? onGpu : onCpu;

/** Greedy tokens of a plain decode loop over llama.h, the end-of-generation token included. */
export async function referenceGreedy(
  prompts: readonly Int32Array[],
  flags: readonly string[],
): Promise<number[][]> {
  const lines = prompts.map((prompt) => `${prompt.join(" ")}\n`);
  const answer = await reference(["greedy", MODEL, ...flags], lines.join(""));
  return (answer as { tokens: number[][] }).tokens;
}

/** The logits of plain llama.h after each of the tokens. */
export async function referenceLogits(
  tokens: Int32Array,
  flags: readonly string[],
): Promise<Float32Array[]> {
  const directory = await mkdtemp(join(tmpdir(), "cria-logits-"));
  try {
    const output = join(directory, "logits");
    const args = ["logits", MODEL, "--output", output, ...flags];
    const answer = await reference(args, `${tokens.join(" ")}\n`);
    const { rows, vocabularySize } = answer as { rows: number; vocabularySize: number };
    const { buffer, byteOffset } = await readFile(output);
    const all = new Float32Array(buffer.slice(byteOffset, byteOffset + 4 * rows * vocabularySize));
    return Array.from({ length: rows }, (_, row) =>
      all.subarray(row * vocabularySize, (row + 1) * vocabularySize),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Natural logarithms of the probabilities that the logits mean. */
export function logSoftmax(logits: Float32Array): number[] {
  const highest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - highest), 0);
  return Array.from(logits, (logit) => logit - highest - Math.log(sum));
}

/** The largest difference between two rows of numbers. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    // Written so that a NaN does not pass.
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

async function reference(args: readonly string[], input: string): Promise<unknown> {
  const child = spawn(program("reference"), args, { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(input);
  const [answer, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (code !== 0) throw new Error(`cria-reference ended with ${code}`);
  return JSON.parse(answer);
}
