import { strip } from "../../messages/white-space.js";

/** Made when it is first needed. Where sentences begin hardly depends on the language. */
let sentences: Intl.Segmenter | undefined;

/** Without a limit, code or JSON on one line would be judged only at its end. */
const LONGEST = 240;

/**
 * How much of a growing text is ready to be judged: its complete sentences (a line break ends one, too),
 * or the whole words of a sentence that is too long; 0 if there is neither.
 */
export function pieceEnd(text: string): number {
  if (isBlank(text)) return 0;
  sentences ??= new Intl.Segmenter("en", { granularity: "sentence" });
  let end = 0;
  for (const { index } of sentences.segment(text)) end = index; // the last one may go on
  if (!isBlank(text.slice(0, end))) return end;
  if (text.length < LONGEST) return 0;
  const words = text.search(/\s\S*$/) + 1;
  return isBlank(text.slice(0, words)) ? text.length : words;
}

/** Whether a guard would read nothing in it. */
export function isBlank(text: string): boolean {
  return strip(text) === "";
}
