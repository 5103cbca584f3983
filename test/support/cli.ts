import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { CLI, NODE, ROOT } from "./paths.js";

export const DEMO_MODEL = join(ROOT, "models", "cria-demo.gguf");

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export function start(args: string[], env: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  return spawn(NODE, [CLI, ...args], { env: { ...process.env, ...env } });
}

/** Waits for the end, with everything that was written. */
export async function finish(child: ChildProcessWithoutNullStreams): Promise<Outcome> {
  const [[code, signal], stdout, stderr] = await Promise.all([
    once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, signal, stdout, stderr };
}

export function cria(args: string[], input = "", env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const child = start(args, env);
  child.stdin.on("error", () => {}); // a command that wants no input may be gone before it comes
  child.stdin.end(input);
  return finish(child);
}
