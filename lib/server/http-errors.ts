import { CriaError, type CriaErrorCode } from "../internal/errors.js";

/** The kinds of errors that OpenAI's API tells apart, and clients with it. */
export type ErrorType =
  | "invalid_request_error"
  | "authentication_error"
  | "permission_error"
  | "not_found_error"
  | "rate_limit_error"
  | "timeout_error"
  | "server_error";

/** An error as it leaves the server, in OpenAI's shape. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: ErrorType;
    /** The field that is to blame, or null. */
    readonly param: string | null;
    readonly code: string | null;
  };
}

const TYPES: Readonly<Record<number, ErrorType>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
  504: "timeout_error",
};

/** What the server itself refuses. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: string;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { readonly param?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = more.param ?? null;
    this.headers = more.headers ?? {};
  }
}

/** The client is to blame for these; for all others the server is. */
const STATUSES: Partial<Record<CriaErrorCode, number>> = {
  ERR_INVALID_ARGUMENT: 400,
  ERR_UNSUPPORTED: 400,
  ERR_CONTEXT_FULL: 400,
  ERR_GRAMMAR_INVALID: 400,
  ERR_SCHEMA_UNSUPPORTED: 400,
  ERR_TEMPLATE: 400,
  ERR_MEDIA_INVALID: 400,
  ERR_QUEUE_FULL: 429,
  ERR_DISPOSED: 503,
  ERR_OUT_OF_MEMORY: 503,
  ERR_WORKER_UNREACHABLE: 503,
  ERR_DOWNLOAD_FAILED: 503,
  ERR_DOWNLOAD_DENIED: 503,
  ERR_DOWNLOAD_CHANGED: 503,
  ERR_DOWNLOAD_DAMAGED: 503,
  ERR_DISK_FULL: 503,
};

/** Codes that OpenAI's clients branch on, in place of cria's own. */
const CODES: Partial<Record<CriaErrorCode, string>> = {
  ERR_CONTEXT_FULL: "context_length_exceeded",
  ERR_QUEUE_FULL: "rate_limit_exceeded",
};

/** Their messages name files of this machine, or others that it has models from. */
const ABOUT_PLACES: readonly CriaErrorCode[] = [
  "ERR_MODEL_NOT_FOUND",
  "ERR_MODEL_INVALID",
  "ERR_ENGINE_NOT_FOUND",
  "ERR_DISK_FULL",
  "ERR_DOWNLOAD_FAILED",
  "ERR_DOWNLOAD_DENIED",
  "ERR_DOWNLOAD_CHANGED",
  "ERR_DOWNLOAD_DAMAGED",
  "ERR_WORKER_UNREACHABLE",
];

/** Whether its message names places that are none of the client's business: nor is the request to blame. */
export function isAboutPlaces(error: unknown): boolean {
  return CriaError.is(error) && ABOUT_PLACES.includes(error.code);
}

/** What options of the library are called in a body. */
export type FieldOf = (option: string) => string | undefined;

/** Any failure as the client hears of it. What is none of the client's business is not told. */
export function toHttpError(error: unknown, fieldOf: FieldOf = () => undefined): HttpError {
  if (error instanceof HttpError) return error;
  if (!CriaError.is(error)) {
    return new HttpError(500, "ERR_INTERNAL", "The server failed: its log may tell more");
  }
  const status = STATUSES[error.code] ?? 500;
  if (isAboutPlaces(error)) {
    return new HttpError(
      status,
      error.code,
      "The model cannot be used: the server's log tells why",
    );
  }
  const { message, param } = inFields(error, fieldOf);
  return new HttpError(status, CODES[error.code] ?? error.code, message, {
    ...(param !== undefined && { param }),
    ...(status === 429 && { headers: { "retry-after": "1" } }),
  });
}

export function errorBody({ status, message, param, code }: HttpError): ErrorBody {
  const type = TYPES[status] ?? (status < 500 ? "invalid_request_error" : "server_error");
  return { error: { message, type, param, code } };
}

/** The path of an option, such as `options.toolChoice.type` or `messages[0]`. */
const OPTION = /^(?:options\.)?(\w+)(.*)$/s;

/** Calls the options by the body's own fields. */
function inFields(error: CriaError, fieldOf: FieldOf): { message: string; param?: string } {
  const { name, needs } = error.details ?? {};
  const fieldFor = (path: unknown) => {
    if (typeof path !== "string") return undefined;
    const [, option = "", rest = ""] = OPTION.exec(path) ?? [];
    const field = fieldOf(option);
    return field === undefined ? path : field + rest;
  };
  let { message } = error;
  for (const path of [name, needs]) {
    const field = fieldFor(path);
    if (field !== undefined && field !== path) {
      message = message.replaceAll(`\`${path}`, () => `\`${field}`);
    }
  }
  const param = fieldFor(name);
  return param === undefined ? { message } : { message, param: param.replace(/^body\./, "") };
}
