import { readFile, stat } from "node:fs/promises";
import { replaceFile } from "../internal/replace-file.js";
import type { ChatMessage, ChatMessageInput } from "../messages/messages.js";
import { reading } from "./report-failure.js";
import { visible } from "./terminal/visible.js";

/** Far more than any context holds. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The messages of a conversation that was saved or written by hand, not checked yet. */
export async function readConversation(file: string): Promise<readonly ChatMessageInput[]> {
  const bytes = await reading("conversation", async () => {
    const { size } = await regularFile(file);
    if (size <= MAX_BYTES) return readFile(file);
    throw new Error(`${file} has ${size} bytes, and ${MAX_BYTES} are the most`);
  });
  let messages: unknown;
  try {
    messages = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = visible((error as Error).message);
    throw new Error(`${file} is not a conversation: it is not JSON (${reason})`);
  }
  if (!Array.isArray(messages)) {
    throw new Error(
      `${file} is not a conversation: expected an array of messages, as /save writes it`,
    );
  }
  return messages as ChatMessageInput[];
}

/** The file is there completely or as it was before, whatever happens. */
export async function writeConversation(
  file: string,
  messages: readonly ChatMessage[],
): Promise<void> {
  try {
    await replaceFile(file, `${JSON.stringify(messages, null, 2)}\n`);
  } catch (error) {
    throw new Error(`The conversation cannot be written: ${(error as Error).message}`);
  }
}

/** A pipe would never end. */
async function regularFile(file: string) {
  const stats = await stat(file);
  if (!stats.isFile()) throw new Error(`${file} is no regular file`);
  return stats;
}
