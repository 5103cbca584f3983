/** What Python's `str.strip()` takes away, and so the models' templates: not what `trim()` does. */
const WHITE_SPACE = new Set(
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007" +
    "\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);

export function strip(text: string): string {
  const start = afterWhiteSpace(text, 0);
  let end = text.length;
  while (end > start && WHITE_SPACE.has(text[end - 1] as string)) end -= 1;
  return text.slice(start, end);
}

/** The first place from `start` on where there is none; the end where there is nothing else. */
export function afterWhiteSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && WHITE_SPACE.has(text[at] as string)) at += 1;
  return at;
}
