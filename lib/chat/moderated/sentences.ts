import { strip } from "../../messages/white-space.js";

/** Made when it is first needed. Where a sentence begins hardly depends on the language. */
let sentences: Intl.Segmenter | undefined;

/** Code and lists without full stops, or JSON on one line, would be judged at their end only. */
const LONGEST = 240;

/**
 * How much of a text that still grows is worth judging: its complete sentences (a line break ends one,
 * too), or the whole words of one that is too long; 0 while there is neither.
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

/** Nothing that a guard reads. */
export function isBlank(text: string): boolean {
  return strip(text) === "";
}
