import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { linesOf } from "../internal/lines.js";
import { reading, UsageError } from "./report-failure.js";

export interface SourceText {
  readonly text: string;
  /** Where it stands in its file, from 1; none of what was given as an argument. */
  readonly line?: number;
  /** Why it cannot be read. */
  readonly problem?: string;
}

export interface TextSource {
  readonly texts: AsyncIterable<SourceText>;
  /** An open input would keep the program alive. */
  close(): void;
}

/**
 * The texts of the arguments, or those of a file, one on each line that is not empty; without either those of
 * standard input. A file is opened at once, so that a missing one is told before a model is loaded.
 *
 * @param noun what a text is called, in the plural
 */
export async function openTexts(
  given: readonly string[],
  file: string | undefined,
  noun: string,
): Promise<TextSource> {
  if (given.length > 0 && file !== undefined) {
    throw new UsageError(`Give ${noun} as arguments or in --input, not both.`);
  }
  const isDash = given.length === 1 && given[0] === "-";
  if (given.length > 0 && !isDash) {
    const texts = (async function* () {
      for (const text of given) yield { text };
    })();
    return { texts, close: () => {} };
  }
  if (!isDash && file === undefined && process.stdin.isTTY) {
    throw new UsageError(`Give ${noun}: as arguments, in --input or on standard input.`);
  }
  const stream: Readable =
    file === undefined || file === "-"
      ? process.stdin
      : (await reading("input", () => open(file))).createReadStream();
  return { texts: lines(stream), close: () => stream.destroy() };
}

async function* lines(stream: Readable): AsyncGenerator<SourceText> {
  for await (const { number, text, problem } of linesOf(stream)) {
    yield problem === undefined ? { line: number, text } : { line: number, text, problem };
  }
}
