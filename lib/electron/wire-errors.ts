import { CriaError, type CriaErrorCode, isError, messageOf } from "../internal/errors.js";

/** An error as it crosses a port. */
export interface WireError {
  readonly message: string;
  /** Of a CriaError. */
  readonly code?: string;
  readonly details?: Record<string, unknown>;
  /** Of any other error. */
  readonly name?: string;
  /** Of any other error that has one: the system's, such as ENOENT. */
  readonly systemCode?: string;
}

/** Never throws, whatever was thrown. What of the details is no data stays here. */
export function toWire(error: unknown): WireError {
  if (!CriaError.is(error)) {
    const systemCode = codeOf(error);
    return { name: nameOf(error), message: messageOf(error), ...(systemCode && { systemCode }) };
  }
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

function codeOf(error: unknown): string | undefined {
  try {
    const code = isError(error) ? (error as { code?: unknown }).code : undefined;
    return typeof code === "string" ? code : undefined;
  } catch {
    return undefined;
  }
}

function dataOf(details: unknown): Record<string, unknown> | undefined {
  try {
    return details === undefined ? undefined : JSON.parse(JSON.stringify(details));
  } catch {
    return undefined;
  }
}

export function fromWire({ code, details, message, name, systemCode }: WireError): Error {
  if (code !== undefined) {
    return new CriaError(code as CriaErrorCode, message, details === undefined ? {} : { details });
  }
  const error = new Error(message);
  if (name !== undefined) error.name = name;
  if (systemCode !== undefined) Object.assign(error, { code: systemCode });
  return error;
}

/** `why` is a sentence without its full stop. */
export function connectionClosed(why: string): CriaError {
  return new CriaError(
    "ERR_CONNECTION_CLOSED",
    `${why}: connect to a new port, and load the model again there`,
  );
}
