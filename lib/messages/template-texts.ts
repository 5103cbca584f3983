/**
 * All texts that a Jinja template can print, in order: what stands between its tags, and the string
 * literals inside of them. Comments are none, nor are the messages of exceptions. Null where the
 * template does not end well.
 */
export function templateTexts(template: string): string[] | null {
  const texts: string[] = [];
  let at = 0;
  while (at < template.length) {
    const open = nextTag(template, at);
    if (open > at) texts.push(template.slice(at, open));
    if (open === template.length) break;
    const kind = template[open + 1] as "{" | "%" | "#";
    const end =
      kind === "#"
        ? template.indexOf("#}", open + 2)
        : endOfTag(template, open + 2, kind === "{" ? "}}" : "%}", texts);
    if (end === -1) return null;
    at = end + 2;
  }
  return texts;
}

function nextTag(template: string, start: number): number {
  let at = template.indexOf("{", start);
  while (at !== -1 && !"{%#".includes(template[at + 1] ?? " ")) at = template.indexOf("{", at + 1);
  return at === -1 ? template.length : at;
}

/** Where the tag's closing brackets are, outside of its literals, which are collected on the way. */
function endOfTag(template: string, start: number, close: string, texts: string[]): number {
  let at = start;
  let code = start;
  while (at < template.length) {
    const character = template[at];
    if (template.startsWith(close, at)) return at;
    if (character !== '"' && character !== "'") {
      at += 1;
      continue;
    }
    const end = endOfLiteral(template, at);
    if (end === -1) return -1;
    if (!template.slice(code, at).trimEnd().endsWith("raise_exception(")) {
      texts.push(unescaped(template.slice(at + 1, end)));
    }
    at = end + 1;
    code = at;
  }
  return -1;
}

function endOfLiteral(template: string, start: number): number {
  for (let at = start + 1; at < template.length; at++) {
    if (template[at] === "\\") at += 1;
    else if (template[at] === template[start]) return at;
  }
  return -1;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

function unescaped(literal: string): string {
  return literal.replace(/\\([\s\S])/g, (_, character: string) => ESCAPES[character] ?? character);
}
