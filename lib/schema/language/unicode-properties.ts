import { type CharSet, charSet } from "./char-set.js";

const properties = new Map<string, CharSet>();
const MOST_PROPERTIES = 32;

/** What the engine itself says of \p{…}: it looks for runs in texts of all characters in their order. */
export function propertySet(raw: string): CharSet {
  let set = properties.get(raw);
  if (set === undefined) {
    const ranges: [number, number][] = [];
    const run = new RegExp(`${raw}+`, "gu");
    for (const text of allCharacters()) {
      for (const [found] of text.matchAll(run)) {
        const from = found.codePointAt(0) as number;
        const length = from > 0xffff ? found.length / 2 : found.length;
        ranges.push([from, from + length - 1]);
      }
    }
    set = charSet(...ranges);
    if (properties.size >= MOST_PROPERTIES) properties.clear();
    properties.set(raw, set);
  }
  return set;
}

/** In some texts, none with half a character at an end. */
function* allCharacters(): Generator<string> {
  yield charactersOf([0, 0xd7ff]);
  yield charactersOf([0xe000, 0xffff]);
  for (let first = 0x10000; first < 0x110000; first += 0x10000) {
    yield charactersOf([first, first + 0xffff]);
  }
}

/** All of a range, on one side of the end of the basic plane, in their order. */
function charactersOf([from, to]: readonly [number, number]): string {
  const units = new Uint16Array((to - from + 1) * (from > 0xffff ? 2 : 1));
  let at = 0;
  for (let character = from; character <= to; character++) {
    if (character > 0xffff) units[at++] = 0xd7c0 + (character >> 10);
    units[at++] = character > 0xffff ? 0xdc00 + (character & 0x3ff) : character;
  }
  return Buffer.from(units.buffer).toString("utf16le");
}
