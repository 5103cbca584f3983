import { CriaError, messageOf } from "../internal/errors.js";

/** An input that cannot be read, or not to its end: not the caller's mistake in a call. */
export function unreadableInput(path: string, error: unknown): Error {
  return CriaError.is(error) ? error : ioError(`The input ${path} cannot be read`, error);
}

/** Errors of the file system keep their own code (ENOSPC, EACCES), in words that say what to do. */
export function ioError(what: string, error: unknown, remedy = ""): Error {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  const said = `${what}: ${messageOf(error)}${remedy === "" ? "" : `. ${remedy}`}`;
  return Object.assign(new Error(said, { cause: error }), code === undefined ? {} : { code });
}

export function unsupported(name: string, why: string): CriaError {
  return new CriaError("ERR_UNSUPPORTED", `\`${name}\` ${why}`, { details: { name } });
}
