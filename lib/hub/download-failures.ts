import { CriaError, type CriaErrorCode, messageOf } from "../internal/errors.js";

/** A failure that the next try may not meet. */
export class Setback extends Error {
  /** What is told if no try succeeds. */
  readonly error: CriaError;
  /** Milliseconds that the server asks to be left alone, if it does. */
  readonly afterMs: number | undefined;

  constructor(error: CriaError, afterMs?: number) {
    super(error.message, { cause: error });
    this.error = error;
    this.afterMs = afterMs;
  }
}

/** A URL without what may be secret in it: signed links have their signature in the query. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`.slice(0, 300);
}

export function failed(
  message: string,
  details: Record<string, unknown>,
  cause?: unknown,
): CriaError {
  return coded("ERR_DOWNLOAD_FAILED", message, details, cause);
}

export function coded(
  code: CriaErrorCode,
  message: string,
  details: Record<string, unknown>,
  cause?: unknown,
): CriaError {
  return new CriaError(code, message, cause === undefined ? { details } : { details, cause });
}

/** What the file system refused, with what to do about it. */
export function diskError(error: unknown, path: string): CriaError {
  if (CriaError.is(error)) return error;
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return coded(
      "ERR_DISK_FULL",
      `The disk is full: ${path} cannot be written. What came so far stays: make room, and ask for the ` +
        "model again",
      { path },
      error,
    );
  }
  return failed(
    `The download cannot be kept: ${messageOf(error)}. Give a \`directory\` that may be written, or set HF_HOME`,
    { path },
    error,
  );
}
