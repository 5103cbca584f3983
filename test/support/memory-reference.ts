import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { NativeContextOptions } from "../../lib/internal/native.js";
import { program } from "./paths.js";

export interface RealMemory {
  readonly model: number;
  readonly kvCache: number;
  readonly compute: number;
}

/** What the buffers of a model and a context take that were really made. */
export async function realMemory(path: string, options: NativeContextOptions): Promise<RealMemory> {
  const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  const { stdout } = await promisify(execFile)(program("memory-reference"), [path, ...args]);
  return JSON.parse(stdout) as RealMemory;
}
