/** Stable names of everything that can go wrong; branch on these, never on messages. */
export type CriaErrorCode =
  | "ERR_INVALID_ARGUMENT"
  | "ERR_DISPOSED"
  | "ERR_ENGINE_NOT_FOUND"
  | "ERR_UNSUPPORTED_CPU"
  | "ERR_MODEL_NOT_FOUND"
  | "ERR_MODEL_INVALID"
  | "ERR_OUT_OF_MEMORY"
  | "ERR_UNSUPPORTED"
  | "ERR_CONTEXT_FULL"
  | "ERR_QUEUE_FULL"
  | "ERR_DECODE_FAILED"
  | "ERR_DEVICE_LOST"
  | "ERR_WORKER_UNREACHABLE"
  | "ERR_GRAMMAR_INVALID"
  | "ERR_SCHEMA_UNSUPPORTED"
  | "ERR_TEMPLATE"
  | "ERR_TOOL"
  | "ERR_GUARD_UNREADABLE"
  | "ERR_STATE_INVALID"
  | "ERR_LOCKED"
  | "ERR_MEDIA_INVALID"
  | "ERR_CONNECTION_CLOSED"
  | "ERR_DOWNLOAD_FAILED"
  | "ERR_DOWNLOAD_DENIED"
  | "ERR_DOWNLOAD_CHANGED"
  | "ERR_DOWNLOAD_DAMAGED"
  | "ERR_DISK_FULL"
  | "ERR_INTERNAL";

/**
 * Every error that cria makes itself. An aborted signal rejects with the signal's own reason, and an
 * error thrown by a callback of yours comes back as it is; both are not a `CriaError`.
 *
 * @example
 * try {
 *   await Model.load(path);
 * } catch (error) {
 *   if (CriaError.is(error) && error.code === "ERR_MODEL_NOT_FOUND") console.error(error.message);
 * }
 */
export class CriaError extends Error {
  /** "CriaError". */
  override readonly name = "CriaError";
  /** What went wrong, by its stable name. */
  readonly code: CriaErrorCode;
  /** The facts behind the message (paths, sizes, names), where there are any. */
  readonly details?: Record<string, unknown>;
  /** What `is` looks for: no proxy has it, and none is asked. */
  readonly #brand = true;

  /** For cria itself, and for stand-ins that fail as it does. */
  constructor(
    code: CriaErrorCode,
    message: string,
    options: { readonly details?: Record<string, unknown>; readonly cause?: unknown } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    if (options.details !== undefined) this.details = options.details;
  }

  /** As `instanceof`, which a hostile proxy could make throw. */
  static is(value: unknown): value is CriaError {
    return typeof value === "object" && value !== null && #brand in value;
  }
}

/**
 * The place a later failure is blamed on: taken where the user called, so that the stack of an error
 * that comes back from another thread shows that call.
 */
export interface Origin {
  stack?: string;
}

/** `below` and everything it called is left out of the stack. */
// biome-ignore lint/complexity/noBannedTypes: captureStackTrace takes any function
export function originAt(below: Function): Origin {
  const origin: Origin = {};
  try {
    Error.captureStackTrace(origin, below);
  } catch {
    // An `Error.prepareStackTrace` of the app's threw: the error will show its own stack, or none.
  }
  return origin;
}

/** The stack is made when it is first read, by the app's `Error.prepareStackTrace` where it has one. */
function framesOf(origin: Origin): string | undefined {
  try {
    const { stack } = origin;
    const end = typeof stack === "string" ? stack.indexOf("\n") : -1;
    return end < 0 ? undefined : (stack as string).slice(end + 1);
  } catch {
    return undefined;
  }
}

/** An error of the addon as a `CriaError`; one that is no `Error` with a code becomes ERR_INTERNAL. */
export function fromNative(error: unknown, origin?: Origin): CriaError {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const made = new CriaError(
    typeof code === "string" && code.startsWith("ERR_") ? (code as CriaErrorCode) : "ERR_INTERNAL",
    typeof message === "string" && message !== ""
      ? message
      : "The engine failed for no known reason",
    isError(error) ? { cause: error } : {},
  );
  const frames = origin && framesOf(origin);
  if (frames !== undefined) made.stack = `${made.name}: ${made.message}\n${frames}`;
  return made;
}

/**
 * Of any realm, as under Jest, where `instanceof` knows only its own. Pages have this file, too, and no
 * `node:util`.
 */
export function isError(value: unknown): value is Error {
  try {
    const tag = Object.prototype.toString.call(value);
    return tag === "[object Error]" || tag === "[object DOMException]" || value instanceof Error;
  } catch {
    return false; // a hostile proxy
  }
}

/** What whatever was thrown says, in a sentence. */
export function messageOf(error: unknown): string {
  try {
    const message: unknown = isError(error) ? error.message : error;
    return typeof message === "string" ? message : show(message);
  } catch {
    return "an error that cannot be read";
  }
}

/** ERR_INVALID_ARGUMENT in the one form all of them have. */
export function expected(what: string, name: string, got: unknown, cause?: unknown): CriaError {
  return invalid(`Expected ${what} for \`${name}\`, got ${show(got)}`, { name }, cause);
}

export function invalid(
  message: string,
  details?: Record<string, unknown>,
  cause?: unknown,
): CriaError {
  return new CriaError("ERR_INVALID_ARGUMENT", message, {
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What waits keeps its prompt: more than anybody can mean is a mistake that would end as no memory. */
export const MAX_WAITING = 65_536;

/** `where` is the noun with its article, as in "The context". */
export function queueFull(where: string): CriaError {
  return new CriaError(
    "ERR_QUEUE_FULL",
    `${where} has ${MAX_WAITING} calls that are not answered yet, and takes no more: wait for some of ` +
      "them before you make the next",
  );
}

/** `what` is the noun with its article, as in "The model". */
export function disposedError(what: string): CriaError {
  return new CriaError("ERR_DISPOSED", `${what} has been disposed`);
}

const SHOWN_CHARACTERS = 60;

/** Any value in a few words; never throws and never calls a method of the value. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value.length <= SHOWN_CHARACTERS
        ? JSON.stringify(value)
        : `${JSON.stringify(value.slice(0, SHOWN_CHARACTERS))}… (${value.length} characters)`;
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${value}n`;
    case "boolean":
    case "undefined":
    case "symbol":
      return String(value);
    case "function":
      return "a function";
    default:
      return showObject(value);
  }
}

function showObject(value: unknown): string {
  if (value === null) return "null";
  try {
    if (Array.isArray(value)) return `an array of length ${value.length}`;
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    const name = (value as { constructor?: { name?: unknown } }).constructor?.name;
    if (typeof name === "string" && name !== "" && name !== "Object")
      return `an instance of ${name}`;
    return tag === "Object" ? "an object" : `an object of type ${tag}`;
  } catch {
    return "an object";
  }
}
