import { completed } from "../slash-completion.js";
import { HistoryFile } from "./history-file.js";
import type { LineReader } from "./line-reader.js";
import { PlainLines } from "./line-reader.js";

const PROMPT = "> ";

export interface ChatInput {
  readonly lines: LineReader;
  /** Resolves when what is remembered is written; with a problem if there was any. */
  close(): Promise<unknown>;
}

/**
 * The texts of `cria chat`: with an editor where the terminal can do more than show text. The prompt and the echo
 * of keys are not answers: they stay off stdout.
 */
export async function openChatInput(options: {
  interactive: boolean;
  history: boolean;
}): Promise<ChatInput> {
  const { stdin: input, stderr: output } = process;
  const able = process.env.TERM !== "dumb" && typeof input.setRawMode === "function";
  if (!options.interactive || !able) {
    const lines = new PlainLines(options.interactive ? PROMPT : undefined);
    return { lines, close: async () => lines.close() };
  }
  const { LineEditor } = await import("./line-editor.js");
  const { LineHistory } = await import("./line-history.js");
  const file = options.history ? new HistoryFile() : undefined;
  const lines = new LineEditor({
    ...{ input, output, prompt: PROMPT, complete: completed },
    history: new LineHistory((await file?.read()) ?? []),
    onKept: (text) => file?.add(text),
  });
  return {
    lines,
    close: () => {
      lines.close();
      return file?.close() ?? Promise.resolve();
    },
  };
}
