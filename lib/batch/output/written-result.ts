import { invalid } from "../../internal/errors.js";
import type { BatchOutputLine } from "../batch-types.js";
import { failureOf } from "../input/request-fields.js";
import type { BatchRequestLine } from "../input/request-line.js";

/** A result as it is written. */
export interface Written {
  /** With its line feed. */
  readonly text: string;
  readonly failed: boolean;
}

/** As much as a member of a packed output may have, which a text of JavaScript's has room for, too. */
const MAX_BYTES = 1 << 28;

/**
 * The result as its line of the output.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT where that is longer than 256 MiB
 */
export function writtenOf(result: BatchOutputLine): Written {
  try {
    const text = `${JSON.stringify(result)}\n`;
    if (Buffer.byteLength(text) <= MAX_BYTES) return { text, failed: result.error !== null };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // no text can be as long
  }
  throw invalid(
    "The result is longer than 256 MiB: ask in several lines, or for fewer inputs, choices or " +
      "log-probabilities",
  );
}

/** The result of a line that has no answer. */
export function failed(line: BatchRequestLine, id: string, error: unknown): BatchOutputLine {
  const failure = { ...failureOf(error, line.fieldOf), line: line.number };
  return { id, custom_id: line.customId, response: null, error: failure };
}
