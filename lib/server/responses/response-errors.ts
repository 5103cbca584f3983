import { errorBody, type HttpError } from "../http-errors.js";

/** An error in the midst of a stream: an event like the others, with `error` for those who look for that alone. */
export function responseErrorEvent(failure: HttpError): object {
  const { error } = errorBody(failure);
  const { code, message, param } = error;
  return { type: "error", code, message, param, error };
}
