import { CommanderError } from "commander";
import { CriaError, type CriaErrorCode, messageOf } from "../internal/errors.js";
import { harmless, jsonOf } from "./terminal/visible.js";

export const EXIT = { ok: 0, failed: 1, usage: 2, unsafe: 3, interrupted: 130 } as const;

/** Wrong usage that only shows once the options are seen together. */
export class UsageError extends Error {}

/** Reads a file of the user's; a failure says which one. */
export async function reading<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new Error(`The ${what} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** The reason with which Ctrl-C aborts. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted");
  }
}

/** The library's messages name options of its API; these are the program's flags for them. */
const OPTIONS: Partial<Record<CriaErrorCode, string>> = {
  ERR_CONTEXT_FULL: "--context-size",
  ERR_OUT_OF_MEMORY: "--context-size and --gpu-layers",
};

/** Options that messages name as the API has them, and the flags that set them. */
const FLAGS: Readonly<Record<string, string>> = {
  chatTemplate: "--chat-template",
  contextSize: "--context-size",
  gpuLayers: "--gpu-layers",
  kvCacheType: "--kv-cache-type (of info)",
  maxTokens: "--max-tokens",
  overwrite: "--overwrite",
  projector: "--projector (of serve and batch)",
  resume: "--resume",
  sequences: "--sequences",
  threads: "--threads",
  variant: "--guard-variant (of moderate --variant)",
};

function withFlags(message: string): string {
  return message.replaceAll(/`(?:options\.)?(\w+)`/g, (quoted, name) =>
    Object.hasOwn(FLAGS, name) ? (FLAGS[name] as string) : quoted,
  );
}

/** Whether a program reads: before the flags are parsed, since what is wrong with these is told, too. */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end < 0 ? args : args.slice(0, end)).includes("--json");
}

/**
 * Tells the user what went wrong and gives the exit code: with `json` as one object, else in words.
 * CRIA_DEBUG=1 adds where it happened to the words.
 */
export function reportFailure(error: unknown, { json = false } = {}): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  const commander = error instanceof CommanderError;
  if (commander && error.exitCode === 0) return EXIT.ok;
  if (json) process.stderr.write(`${jsonOf(failureJson(error))}\n`);
  // Commander has already written its message.
  if (commander) return EXIT.usage;
  if (!json) tell(error);
  return isUsage(error) ? EXIT.usage : EXIT.failed;
}

function tell(error: unknown): void {
  const debug = process.env.CRIA_DEBUG === "1";
  process.stderr.write(`${describe(error)}\n`);
  if (debug && error instanceof Error) process.stderr.write(`${harmless(String(error.stack))}\n`);
  if (debug && CriaError.is(error) && error.details) {
    process.stderr.write(`${jsonOf(error.details, 2)}\n`);
  }
}

function isUsage(error: unknown): boolean {
  return (
    error instanceof UsageError || (CriaError.is(error) && error.code === "ERR_INVALID_ARGUMENT")
  );
}

/** A code and a message: cria's own code, the system's, or one for each of the two exit codes. */
export function failureJson(error: unknown): { code: string; message: string } {
  if (CriaError.is(error)) return { code: error.code, message: withFlags(error.message) };
  if (error instanceof CommanderError) {
    const help = error.code === "commander.help";
    const message = help ? "a command is missing" : error.message.replace(/^error: /, "");
    return { code: "ERR_USAGE", message };
  }
  const message = messageOf(error);
  if (error instanceof UsageError) return { code: "ERR_USAGE", message };
  return { code: systemCode(error) ?? "ERR_FAILED", message };
}

/** Such as ENOENT, of the error or of the one behind it. */
function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : systemCode(error.cause);
}

/**
 * What happened, its code, and the flags that have to do with it. Messages quote files and other machines: nothing in
 * them can move the cursor or change the terminal.
 */
export function describe(error: unknown): string {
  if (!CriaError.is(error)) return harmless(`cria: ${messageOf(error)}`);
  const options = OPTIONS[error.code];
  const see = options === undefined ? "" : ` (see ${options})`;
  return harmless(`cria: ${withFlags(error.message)} [${error.code}]${see}`);
}
