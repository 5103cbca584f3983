/** Tokens that end a message, as their text. */
export const END_TOKENS = ["<|eom_id|>", "<|eot_id|>", "<|end_of_text|>"] as const;
export const PYTHON_TAG = "<|python_tag|>";
export const FUNCTION_TAG = "<function=";
export const FUNCTION_CLOSE = "</function>";

/** The tags that may stand at a place. In quotations only those that end the output count. */
export function tagsAt(place: {
  readonly quoted: boolean;
  readonly inFence: boolean;
  readonly closable: boolean;
}): readonly string[] {
  if (place.quoted) return END_TOKENS;
  return [
    ...END_TOKENS,
    FUNCTION_TAG,
    ...(place.closable ? [FUNCTION_CLOSE] : []),
    ...(place.inFence ? [] : [PYTHON_TAG]),
  ];
}
