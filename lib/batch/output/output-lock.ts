import { readFile, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { engine } from "../../internal/engine-loader.js";
import { CriaError } from "../../internal/errors.js";
import { createLockFile, takeLockAway } from "../../internal/lock-file.js";
import { ioError } from "../batch-failures.js";

/** Who holds an output: the content of the lock file beside it. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, if the system tells it: process ids are reused. */
  readonly since: string;
  /** The copy of the engine, which knows what the threads of its process have claimed. */
  readonly engine: string;
}

/** A lock that is empty for so long was left by a process that was killed while it wrote it. */
const WRITING_MS = 5000;
const TRIES = 5;

/**
 * Keeps a second run off an output, and returns what releases it. A run that is killed leaves its lock,
 * and the next one sees that the process is gone. Within a process the engine keeps the claims, so that a
 * worker thread that is terminated leaves nothing locked. It is not scripts/lock.mjs: that one waits its
 * turn, and runs before anything is built.
 *
 * @throws {CriaError} ERR_LOCKED; errors of the file system with their `code`
 */
export async function lockOutput(output: string): Promise<() => Promise<void>> {
  const { addon } = engine();
  const file = `${output}.lock`;
  if (!addon.claim(file)) throw held(output, file, await readFile(file, "utf8").catch(() => ""));
  try {
    const unlock = await lockFile(output, file, addon.instance);
    return async () => {
      // The file before the claim: whoever has the claim takes a file of this process for a stale one.
      await unlock().finally(() => addon.release(file));
    };
  } catch (error) {
    addon.release(file);
    throw error;
  }
}

async function lockFile(
  output: string,
  file: string,
  instance: string,
): Promise<() => Promise<void>> {
  const { pid } = process;
  const holder: Holder = { pid, host: hostname(), since: await startOf(pid), engine: instance };
  const own = JSON.stringify(holder);
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      await createLockFile(file, own);
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw ioError(`The output ${output} cannot be locked`, error);
      }
    }
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) continue; // given free meanwhile
    if (!(await isStale(file, text, holder))) throw held(output, file, text);
    await takeLockAway(file, text);
  }
  throw held(output, file, "");
}

async function isStale(file: string, text: string, own: Holder): Promise<boolean> {
  const holder = holderOf(text);
  if (holder === undefined) {
    const written = await stat(file).catch(() => undefined);
    return written === undefined || Date.now() - written.mtimeMs > WRITING_MS;
  }
  if (holder.host !== own.host) return false; // nobody can tell from here
  // This run has the claim, so no other thread of the process is writing there.
  if (holder.pid === own.pid && holder.engine === own.engine) return true;
  return !alive(holder.pid) || (await startOf(holder.pid)) !== holder.since;
}

function holderOf(text: string): Holder | undefined {
  try {
    const { pid, host, since, engine = "" } = JSON.parse(text) as Partial<Holder>;
    if (typeof pid !== "number" || typeof host !== "string" || typeof since !== "string") return;
    return { pid, host, since, engine };
  } catch {
    return undefined;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** In ticks since the system's start; "" if it is not known. The name before it may hold anything. */
async function startOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const behindName = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return behindName[0] === "Z" ? "ended" : (behindName[19] ?? "");
}

function held(output: string, file: string, text: string): CriaError {
  const holder = holderOf(text);
  const who = holder === undefined ? "another run" : `process ${holder.pid} on ${holder.host}`;
  return new CriaError(
    "ERR_LOCKED",
    `The output ${output} is being written by ${who}: wait for it, or give another output. If no ` +
      `run is at work there, delete ${file}`,
    { details: { path: output, ...(holder && { pid: holder.pid, host: holder.host }) } },
  );
}
