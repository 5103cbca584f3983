import { randomUUID } from "node:crypto";
import { access, constants, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ChatMessage, ChatMessageInput } from "../messages/messages.js";
import { visible } from "./visible.js";

/** Far more than any context holds. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The messages of a conversation that was saved, or written by hand; whoever uses them checks them. */
export async function readConversation(file: string): Promise<readonly ChatMessageInput[]> {
  let bytes: Uint8Array;
  try {
    const { size } = await regularFile(file);
    if (size > MAX_BYTES)
      throw new Error(`${file} has ${size} bytes, and ${MAX_BYTES} are the most`);
    bytes = await readFile(file);
  } catch (error) {
    throw new Error(`The conversation cannot be read: ${(error as Error).message}`);
  }
  let messages: unknown;
  try {
    messages = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = visible((error as Error).message);
    throw new Error(`${file} is no conversation: it is no JSON (${reason})`);
  }
  if (!Array.isArray(messages)) {
    throw new Error(
      `${file} is no conversation: expected an array of messages, as /save writes it`,
    );
  }
  return messages as ChatMessageInput[];
}

/** The file is there completely or as it was before, whatever happens. */
export async function writeConversation(
  file: string,
  messages: readonly ChatMessage[],
): Promise<void> {
  let temporary: string | undefined;
  try {
    const { path, mode } = await target(file);
    temporary = join(dirname(path), `.cria-${randomUUID()}.tmp`);
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(`${JSON.stringify(messages, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    if (temporary !== undefined) await rm(temporary, { force: true });
    throw new Error(`The conversation cannot be written: ${(error as Error).message}`);
  }
}

/** Behind a link the file that it leads to: the link stays one. */
async function target(file: string): Promise<{ path: string; mode: number }> {
  try {
    const { mode } = await regularFile(file);
    // Putting a new file in its place asks nobody: what must not be written is found here.
    if ((mode & 0o222) === 0) throw new Error(`${file} is read-only`);
    await access(file, constants.W_OK);
    return { path: await realpath(file), mode: mode & 0o777 };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { path: file, mode: 0o666 };
  }
}

/** A pipe would never end, and a device must not be replaced by a file. */
async function regularFile(file: string) {
  const stats = await stat(file);
  if (!stats.isFile()) throw new Error(`${file} is no regular file`);
  return stats;
}
