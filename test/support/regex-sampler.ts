import { type AST, RegExpParser } from "@eslint-community/regexpp";

/**
 * A text that a regular expression may match: what stands between its anchors, as it is written. Whether
 * it does match is for the RegExp to say.
 */
export function sampleRegex(source: string, random: () => number): string {
  const parser = new RegExpParser();
  let pattern: AST.Pattern;
  try {
    pattern = parser.parsePattern(source, 0, source.length, { unicode: true });
  } catch {
    pattern = parser.parsePattern(source, 0, source.length, { unicode: false });
  }
  return oneOf(pattern.alternatives, random);
}

function pick<T>(values: readonly T[], random: () => number): T {
  return values[Math.floor(random() * values.length)]!;
}

function oneOf(alternatives: readonly AST.Alternative[], random: () => number): string {
  return pick(alternatives, random)
    .elements.map((element) => text(element, random))
    .join("");
}

function text(element: AST.Element, random: () => number): string {
  switch (element.type) {
    case "Assertion":
      return "";
    case "Group":
    case "CapturingGroup":
      return oneOf(element.alternatives, random);
    case "Quantifier": {
      const most = Math.min(element.max, element.min + 3);
      const count = element.min + Math.floor(random() * (most - element.min + 1));
      return Array.from({ length: count }, () => text(element.element, random)).join("");
    }
    case "Character":
      return String.fromCodePoint(element.value);
    case "CharacterClass":
    case "CharacterSet":
      return character(element, random);
    default:
      throw new Error(`No text is made of ${element.raw}`);
  }
}

const SOME = [..."abcxyzABCZ0123456789-_.:/ @$!#%&'()[]{}\"\\\n\té日😀"];

function character(set: AST.CharacterClass | AST.CharacterSet, random: () => number): string {
  if (set.type === "CharacterClass" && !set.negate) {
    const part = pick(set.elements as readonly AST.ClassRangesCharacterClassElement[], random);
    if (part.type === "Character") return String.fromCodePoint(part.value);
    if (part.type === "CharacterClassRange") {
      const width = part.max.value - part.min.value + 1;
      return String.fromCodePoint(part.min.value + Math.floor(random() * width));
    }
    return character(part, random);
  }
  const is = new RegExp(`^${set.raw}$`, "u");
  const fitting = SOME.filter((letter) => is.test(letter));
  return fitting.length === 0 ? "" : pick(fitting, random);
}
