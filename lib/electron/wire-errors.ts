import { CriaError, type CriaErrorCode, isError, messageOf } from "../internal/errors.js";

/** An error as it crosses a port. */
export interface WireError {
  readonly message: string;
  /** Of a CriaError. */
  readonly code?: string;
  readonly details?: Record<string, unknown>;
  /** Of any other error. */
  readonly name?: string;
}

/** Never throws, whatever was thrown. What of the details is no data stays here. */
export function toWire(error: unknown): WireError {
  if (!CriaError.is(error)) return { name: nameOf(error), message: messageOf(error) };
  const details = dataOf(error.details);
  return { code: error.code, message: error.message, ...(details && { details }) };
}

function nameOf(error: unknown): string {
  try {
    return isError(error) && typeof error.name === "string" ? error.name : "Error";
  } catch {
    return "Error";
  }
}

function dataOf(details: unknown): Record<string, unknown> | undefined {
  try {
    return details === undefined ? undefined : JSON.parse(JSON.stringify(details));
  } catch {
    return undefined;
  }
}

export function fromWire({ code, details, message, name }: WireError): Error {
  if (code !== undefined) {
    return new CriaError(code as CriaErrorCode, message, details === undefined ? {} : { details });
  }
  const error = new Error(message);
  if (name !== undefined) error.name = name;
  return error;
}

/** `why` is a sentence without its full stop. */
export function connectionClosed(why: string): CriaError {
  return new CriaError(
    "ERR_CONNECTION_CLOSED",
    `${why}: connect to a new port, and load the model again there`,
  );
}
