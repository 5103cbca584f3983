/** What the user can do about an error, by its code. The server's message says what happened. */
const HINTS: ReadonlyMap<string, string> = new Map([
  [
    "origin_not_allowed",
    "Open the page by the server's address or as localhost, or start the server with this page's origin: " +
      "cria serve MODEL --cors " +
      location.origin,
  ],
  [
    "context_length_exceeded",
    "The conversation has become too long for the model: begin a new chat, or edit an earlier message.",
  ],
  ["rate_limit_exceeded", "Many requests are waiting already: try again in a moment."],
  ["ERR_OUT_OF_MEMORY", "There is no memory for it right now: try a smaller model."],
  ["invalid_api_key", "Give the key in the settings."],
  ["body_too_large", "Leave a picture out, or send a smaller one."],
]);

export function hintFor(code: string | undefined): string | undefined {
  return code === undefined ? undefined : HINTS.get(code);
}
