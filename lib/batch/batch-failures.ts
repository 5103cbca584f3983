import { CriaError, messageOf } from "../internal/errors.js";

/** The input cannot be read, or not to its end. A `CriaError` says more already. */
export function unreadableInput(path: string, error: unknown): Error {
  return CriaError.is(error) ? error : ioError(`The input ${path} cannot be read`, error);
}

/** An error of the file system with its own code (ENOSPC, EACCES), and a message that says what to do. */
export function ioError(what: string, error: unknown, remedy = ""): Error {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  const said = `${what}: ${messageOf(error)}${remedy === "" ? "" : `. ${remedy}`}`;
  return Object.assign(new Error(said, { cause: error }), code === undefined ? {} : { code });
}

export function unsupported(name: string, why: string): CriaError {
  return new CriaError("ERR_UNSUPPORTED", `\`${name}\` ${why}`, { details: { name } });
}
