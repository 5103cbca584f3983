import { CommanderError } from "commander";
import { CriaError, type CriaErrorCode, messageOf } from "../internal/errors.js";

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

/** Tells the user what went wrong and gives the exit code. CRIA_DEBUG=1 adds where it happened. */
export function reportFailure(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  // Commander has already written its message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const debug = process.env.CRIA_DEBUG === "1";
  process.stderr.write(`${describe(error)}\n`);
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  if (debug && CriaError.is(error) && error.details) {
    process.stderr.write(`${JSON.stringify(error.details, null, 2)}\n`);
  }
  const usage =
    error instanceof UsageError || (CriaError.is(error) && error.code === "ERR_INVALID_ARGUMENT");
  return usage ? EXIT.usage : EXIT.failed;
}

/** What happened, its code, and the flags that have to do with it. */
export function describe(error: unknown): string {
  if (!CriaError.is(error)) return `cria: ${messageOf(error)}`;
  const options = OPTIONS[error.code];
  return `cria: ${withFlags(error.message)} [${error.code}]${options ? ` (see ${options})` : ""}`;
}
