import { createInterface, emitKeypressEvents, type Interface, type Key } from "node:readline";
import { PassThrough } from "node:stream";
import type { LineHistory } from "./line-history.js";
import type { LineReader } from "./line-reader.js";

const PASTE_MARKS = { on: "\u001b[?2004h", off: "\u001b[?2004l" } as const;
/** Keys that are kept while nobody reads; more are a cat's. */
const AHEAD_MAX = 10_000;

export interface EditorInput extends NodeJS.ReadableStream {
  setRawMode(raw: boolean): unknown;
}

export interface LineEditorOptions {
  readonly input: EditorInput;
  readonly output: NodeJS.WritableStream;
  readonly prompt: string;
  readonly history: LineHistory;
  /** Called with each text that is new in the history. */
  readonly onKept?: (text: string) => void;
  /** What may stand in place of the end of a line, and that end. */
  readonly complete: (line: string) => [string[], string];
}

/** What `Interface` has as properties that may be written, which its types do not say. */
type Editable = Interface & { line: string; cursor: number };

/**
 * Texts that a person types, of one or more lines. Node's readline edits; keys come to it through here, so that
 * a pasted line break, one behind a backslash and one with Alt are part of the text, and so that Ctrl-C is heard
 * and other keys wait while an answer is written.
 */
export class LineEditor implements LineReader {
  readonly #input: EditorInput;
  readonly #output: NodeJS.WritableStream;
  readonly #readline: Editable;
  readonly #history: LineHistory;
  readonly #onKept: (text: string) => void;
  #interrupted: () => void = () => {};
  #reader: ((text: string | null) => void) | undefined;
  /** Typed while nobody read. */
  readonly #ahead: [string | undefined, Key][] = [];
  /** What is being pasted, until its end. */
  #pasted: string[] | undefined;
  #ended = false;
  #closed = false;

  constructor(options: LineEditorOptions) {
    const { input, output, prompt, history, complete, onKept = () => {} } = options;
    this.#input = input;
    this.#output = output;
    this.#history = history;
    this.#onKept = onKept;
    this.#readline = createInterface({
      input: new PassThrough(), // keys are handed over one by one
      output,
      prompt,
      terminal: true,
      historySize: 0, // ours has texts of several lines
      completer: complete,
    }) as Editable;
    this.#readline.on("line", this.#line);
    emitKeypressEvents(input);
    input.on("keypress", this.#keypress);
    input.on("end", this.#end);
    input.setRawMode(true);
    input.resume();
    output.write(PASTE_MARKS.on);
    process.on("exit", this.#restore);
  }

  onInterrupt(listener: () => void): void {
    this.#interrupted = listener;
  }

  read(): Promise<string | null> {
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#reader = resolve;
      this.#readline.prompt();
      while (this.#reader !== undefined) {
        const next = this.#ahead.shift();
        if (next === undefined) break;
        this.#take(...next);
      }
    });
  }

  /** On a line of its own, above the prompt if there is one. */
  note(message: string): void {
    const { line, cursor } = this.#readline;
    if (this.#reader === undefined) this.#output.write(`${message}\n`);
    else {
      this.#output.write(`\n${message}\n`);
      this.#show(line, cursor);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end();
    this.#input.off("keypress", this.#keypress);
    this.#input.off("end", this.#end);
    this.#input.pause();
    this.#readline.close();
    this.#restore();
    process.off("exit", this.#restore);
  }

  readonly #restore = (): void => {
    this.#output.write(PASTE_MARKS.off);
    this.#input.setRawMode(false);
  };

  readonly #end = (): void => {
    this.#ended = true;
    this.#give(null);
  };

  #give(text: string | null): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.(text);
  }

  readonly #line = (text: string): void => {
    if (this.#history.add(text)) this.#onKept(text);
    this.#give(text);
  };

  readonly #keypress = (text: string | undefined, key: Key): void => {
    if (this.#pasted === undefined && key.ctrl && key.name === "c") this.#interrupt();
    else if (this.#pasted === undefined && key.ctrl && key.name === "z") this.#suspend();
    else if (this.#reader !== undefined) this.#take(text, key);
    else if (this.#ahead.length < AHEAD_MAX) this.#ahead.push([text, key]);
  };

  /** What is typed goes first. */
  #interrupt(): void {
    this.#ahead.length = 0;
    if (this.#reader !== undefined && this.#readline.line !== "") {
      this.#history.leave();
      this.#show("", 0);
    } else this.#interrupted();
  }

  #suspend(): void {
    if (process.platform === "win32") return;
    this.#restore();
    process.once("SIGCONT", () => {
      this.#input.setRawMode(true);
      this.#output.write(PASTE_MARKS.on);
      if (this.#reader !== undefined) this.#readline.prompt(true);
    });
    process.kill(process.pid, "SIGTSTP");
  }

  #take(text: string | undefined, key: Key): void {
    if (key.name === "paste-start") this.#pasted = [];
    else if (this.#pasted !== undefined) this.#paste(text, key);
    else if (this.#breaksLine(key)) this.#insert("\n");
    else if (isUp(key)) this.#up();
    else if (isDown(key)) this.#down();
    else if (key.ctrl && key.name === "d" && this.#readline.line === "") this.#leave();
    else {
      this.#history.leave();
      if (isReturn(key)) this.#toEnd();
      this.#readline.write(text as string, key);
    }
  }

  /** Ctrl-D of an empty line, as in a shell. */
  #leave(): void {
    this.#output.write("\n");
    this.#end();
  }

  /** All at once: redrawing for each character of a long text takes long. */
  #paste(text: string | undefined, key: Key): void {
    const pasted = this.#pasted as string[];
    if (key.name === "paste-end") {
      this.#pasted = undefined;
      const whole = pasted.join("").replace(/\r\n?/g, "\n");
      this.#insert(whole.replace(/[^\P{Cc}\n\t]/gu, ""));
    } else pasted.push(text ?? key.sequence ?? "");
  }

  /** With Alt, or behind a backslash, which it takes the place of. */
  #breaksLine(key: Key): boolean {
    if (!isReturn(key)) return false;
    if (key.meta) return true;
    const { line, cursor } = this.#readline;
    if (line[cursor - 1] !== "\\") return false;
    this.#readline.line = line.slice(0, cursor - 1) + line.slice(cursor);
    this.#readline.cursor = cursor - 1;
    return true;
  }

  #insert(text: string): void {
    this.#history.leave();
    const { line, cursor } = this.#readline;
    this.#show(line.slice(0, cursor) + text + line.slice(cursor), cursor + text.length);
  }

  #show(line: string, cursor: number): void {
    this.#readline.line = line;
    this.#readline.cursor = cursor;
    this.#readline.prompt(true);
  }

  /** The answer begins below the whole text, wherever in it Enter was pressed. */
  #toEnd(): void {
    const { line } = this.#readline;
    if (line.includes("\n")) this.#show(line, line.length);
  }

  /** A row up within the text, and from the first one an entry back. */
  #up(): void {
    const { line, cursor } = this.#readline;
    const start = line.lastIndexOf("\n", cursor - 1) + 1;
    if (cursor > 0 && start > 0) {
      const above = line.lastIndexOf("\n", start - 2) + 1;
      this.#show(line, Math.min(above + cursor - start, start - 1));
      return;
    }
    const older = this.#history.older(line);
    if (older !== undefined) this.#show(older, older.length);
  }

  #down(): void {
    const { line, cursor } = this.#readline;
    const end = line.indexOf("\n", cursor);
    if (end >= 0) {
      const start = line.lastIndexOf("\n", cursor - 1) + 1;
      const below = line.indexOf("\n", end + 1);
      const last = below < 0 ? line.length : below;
      this.#show(line, Math.min(end + 1 + cursor - start, last));
      return;
    }
    const newer = this.#history.newer(line);
    if (newer !== undefined) this.#show(newer, newer.length);
  }
}

function isReturn({ name }: Key): boolean {
  return name === "return" || name === "enter";
}

function isUp({ name, ctrl = false, meta = false, shift = false }: Key): boolean {
  return (name === "up" && !ctrl && !meta && !shift) || (name === "p" && ctrl);
}

function isDown({ name, ctrl = false, meta = false, shift = false }: Key): boolean {
  return (name === "down" && !ctrl && !meta && !shift) || (name === "n" && ctrl);
}
