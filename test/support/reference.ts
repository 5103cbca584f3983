import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { MODEL, REFERENCE } from "./paths.js";

/** Greedy tokens of a plain decode loop over llama.h, the end-of-generation token included. */
export async function referenceGreedy(
  prompts: readonly Int32Array[],
  flags: readonly string[],
): Promise<number[][]> {
  const child = spawn(REFERENCE, ["greedy", MODEL, ...flags], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(prompts.map((prompt) => `${prompt.join(" ")}\n`).join(""));
  const [answer, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  if (code !== 0) throw new Error(`cria-reference ended with ${code}`);
  return (JSON.parse(answer) as { tokens: number[][] }).tokens;
}
