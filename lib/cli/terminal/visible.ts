/** Long results are for the model; a person sees how they begin. */
const SHOWN_CHARACTERS = 500;

/** Text from anywhere in one line, in which nothing can move the cursor or change the terminal. */
export function visible(text: string): string {
  const shown =
    text.length <= SHOWN_CHARACTERS
      ? text
      : `${text.slice(0, SHOWN_CHARACTERS)}… (${text.length} characters)`;
  return shown.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped);
}

/** The same for what may be long and have lines of its own: messages, which quote what others sent. */
export function harmless(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped);
}

/** A model's words for a person: joined characters stay, and what a terminal would obey does not. */
export function spoken(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, escaped);
}

/** JSON text of the same value. `JSON.stringify` leaves in it what some terminals obey: U+007F to U+009F. */
export function jsonOf(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(/[\x7f-\x9f]/g, escaped);
}

function escaped(character: string): string {
  const short: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  const code = (character.codePointAt(0) as number).toString(16);
  return short[character] ?? (code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`);
}
