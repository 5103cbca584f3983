import { createReadStream } from "node:fs";
import { LineSplitter, linesOf } from "../../internal/lines.js";
import type { FileDraft, FileStore } from "./file-store.js";

/** The files of a batch that is over; null where there would be nothing in it. */
export interface ResultFiles {
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
}

/** What came of a batch. */
export interface SplitResults {
  readonly files: ResultFiles;
  /** Lines that are answers, and lines that are errors. */
  readonly counts: { readonly completed: number; readonly failed: number };
}

/** What is gathered before it is written. */
const PIECE = 1 << 16;

/** Puts the results that are answers into one file, and those that are errors into another. */
export async function splitResults(
  results: string,
  files: FileStore,
  batch: string,
): Promise<SplitResults> {
  const output = new LineFile(files, `${batch}_output.jsonl`);
  const errors = new LineFile(files, `${batch}_error.jsonl`);
  try {
    const splitter = new LineSplitter(Number.POSITIVE_INFINITY);
    for await (const { text } of linesOf(createReadStream(results), splitter)) {
      const { error } = JSON.parse(text) as { error: unknown };
      await (error === null ? output : errors).add(text);
    }
    return {
      files: { output_file_id: await output.end(), error_file_id: await errors.end() },
      counts: { completed: output.count, failed: errors.count },
    };
  } catch (error) {
    await output.discard();
    await errors.discard();
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    // Nothing was run.
    return {
      files: { output_file_id: null, error_file_id: null },
      counts: { completed: 0, failed: 0 },
    };
  }
}

/** A file that is there once it has a line. */
class LineFile {
  readonly #files: FileStore;
  readonly #name: string;
  #draft: FileDraft | undefined;
  #lines: string[] = [];
  #length = 0;
  #count = 0;

  constructor(files: FileStore, name: string) {
    this.#files = files;
    this.#name = name;
  }

  get count(): number {
    return this.#count;
  }

  async add(line: string): Promise<void> {
    this.#count += 1;
    this.#lines.push(line, "\n");
    this.#length += line.length;
    if (this.#length >= PIECE) await this.#write();
  }

  async end(): Promise<string | null> {
    if (this.#length > 0) await this.#write();
    const file = await this.#draft?.keep(this.#name, "batch_output");
    return file?.id ?? null;
  }

  async discard(): Promise<void> {
    await this.#draft?.discard();
  }

  async #write(): Promise<void> {
    this.#draft ??= await this.#files.begin(false);
    await this.#draft.append(Buffer.from(this.#lines.join("")));
    this.#lines = [];
    this.#length = 0;
  }
}
