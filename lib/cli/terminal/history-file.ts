import { appendFile, chmod, mkdir, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { replaceFile } from "../../internal/replace-file.js";

/** Entries that are kept, and the bytes beyond which a file is none of ours. */
const MAX_ENTRIES = 1000;
const MAX_BYTES = 16 * 1024 * 1024;

/** Where programs keep what they remember for this user. */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (process.platform === "win32") {
    return join(env.LOCALAPPDATA || join(homedir(), "AppData", "Local"), "cria");
  }
  if (env.XDG_STATE_HOME?.startsWith("/")) return join(env.XDG_STATE_HOME, "cria");
  const own = process.platform === "darwin" ? "Library/Application Support" : ".local/state";
  return join(homedir(), own, "cria");
}

/** What was typed in chats, in a file that only its user can read: a JSON string a line, the newest last. */
export class HistoryFile {
  readonly #path: string;
  #writing: Promise<void> = Promise.resolve();
  #problem: unknown;

  constructor(path: string = join(stateFolder(), "chat-history")) {
    this.#path = path;
  }

  /** The newest first. Lines that are no JSON strings are nobody's; an overlong file is cut. */
  async read(): Promise<string[]> {
    const text = await this.#text();
    const entries: string[] = [];
    for (const line of text.split("\n")) {
      const entry = parsed(line);
      if (entry !== undefined) entries.push(entry);
    }
    const kept = entries.slice(-MAX_ENTRIES);
    // Seldom, not with every line that is one too many.
    if (entries.length > 2 * MAX_ENTRIES) await this.#cut(kept);
    return kept.reverse();
  }

  /** Where it cannot be written, nothing is lost but the memory of it; `close` tells why. */
  add(entry: string): void {
    this.#writing = this.#writing
      .then(async () => {
        await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
        await appendFile(this.#path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
        // One that was there may have had another mode.
        await chmod(this.#path, 0o600);
      })
      .catch((error) => {
        this.#problem ??= error;
      });
  }

  /** Resolves when all is written, with what went wrong if anything did. */
  async close(): Promise<unknown> {
    await this.#writing;
    return this.#problem;
  }

  async #text(): Promise<string> {
    try {
      const stats = await stat(this.#path);
      // A pipe would never end.
      if (!stats.isFile() || stats.size > MAX_BYTES) return "";
      return await readFile(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") this.#problem = error;
      return "";
    }
  }

  async #cut(kept: readonly string[]): Promise<void> {
    try {
      const text = kept.map((entry) => `${JSON.stringify(entry)}\n`).join("");
      await replaceFile(this.#path, text);
      await chmod(this.#path, 0o600);
    } catch (error) {
      this.#problem ??= error;
    }
  }
}

function parsed(line: string): string | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "string" && value !== "" ? value : undefined;
  } catch {
    return undefined;
  }
}
