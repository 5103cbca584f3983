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

/**
 * The result as its line of the output.
 *
 * @throws {CriaError} ERR_INVALID_ARGUMENT where that is longer than a text can be
 */
export function writtenOf(result: BatchOutputLine): Written {
  try {
    return { text: `${JSON.stringify(result)}\n`, failed: result.error !== null };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalid(
      "The result is longer than a text can be (512 MB): ask in several lines, or for fewer inputs, " +
        "choices or log-probabilities",
    );
  }
}

/** The result of a line that has no answer. */
export function failed(line: BatchRequestLine, id: string, error: unknown): BatchOutputLine {
  const failure = { ...failureOf(error, line.fieldOf), line: line.number };
  return { id, custom_id: line.customId, response: null, error: failure };
}
