import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { program } from "./paths.js";

const PROGRAM = program("embed-reference");

export interface Reference {
  /** As llama.cpp gives it, not normalized. */
  readonly vector: Float32Array;
  readonly tokens: number;
}

/** Of a plain loop over llama.h, one text at a time; with "rank" the texts are pairs. */
export async function referenceEmbeddings(
  model: string,
  texts: readonly string[],
  pooling: string,
  kvCacheType: "f16" | "f32" = "f16",
): Promise<Reference[]> {
  const directory = await mkdtemp(join(tmpdir(), "cria-embed-"));
  try {
    const output = join(directory, "vectors");
    const child = spawn(PROGRAM, [model, output, pooling, kvCacheType], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdin.end(texts.map((one) => `${one}\0`).join(""));
    const [answer, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
    if (code !== 0) throw new Error(`cria-embed-reference ended with ${code}`);
    const counts = JSON.parse(answer) as number[];
    const { buffer, byteOffset, byteLength } = await readFile(output);
    const all = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
    const rows = counts.map((count) => (pooling === "none" ? count : 1));
    const width = all.length / rows.reduce((sum, count) => sum + count, 0);
    let at = 0;
    return counts.map((tokens, index) => {
      const end = at + width * (rows[index] as number);
      const vector = all.slice(at, end);
      at = end;
      return { vector, tokens };
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Each row of `width` made one of length 1. */
export function normalized(vector: Float32Array, width = vector.length): Float32Array {
  const result = vector.slice();
  for (let row = 0; row < vector.length; row += width) {
    const one = result.subarray(row, row + width);
    const length = Math.hypot(...one);
    if (length > 0) one.set(one.map((value) => value / length));
  }
  return result;
}
