import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { MODEL, NODE, ROOT } from "./paths.js";

/** What a child that may die left behind: its end, and all that it wrote. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A good end: no fault, no hang, no word. */
export const QUIET: End = { code: 0, signal: null, stdout: "", stderr: "" };

export interface ChildOptions {
  readonly args?: readonly string[];
  readonly execArgv?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Killed with SIGKILL after so many ms. */
  readonly deadline?: number;
}

/** Runs test/<script> in a Node of its own, with the built package and the demo model at hand. */
export function runScript(script: string, options: ChildOptions = {}): Promise<End> {
  return runNode([join(ROOT, "test", script), ...(options.args ?? [])], options);
}

/** Under sanitizers all takes longer, and their runtime has to be there before Node is (scripts/sanitize.mjs). */
const {
  CRIA_TEST_PATIENCE: patience = "1",
  CRIA_TEST_PRELOAD: preload,
  // V8 leaves its heap behind at process.exit(); leaks are looked for in the programs of test/native.
  ASAN_OPTIONS: asanOptions = "",
} = process.env;

export async function runNode(
  args: readonly string[],
  { execArgv = [], env = {}, cwd, deadline = 280_000 }: ChildOptions = {},
): Promise<End> {
  const child = spawn(NODE, [...execArgv, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      CRIA_TEST_MODEL: MODEL,
      ...(preload && { LD_PRELOAD: preload, ASAN_OPTIONS: `${asanOptions}:detect_leaks=0` }),
      ...env,
    },
    ...(cwd !== undefined && { cwd }),
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), deadline * Number(patience));
  const [[code, signal], stdout, stderr] = await Promise.all([
    once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  clearTimeout(timer);
  return { code, signal, stdout, stderr };
}
